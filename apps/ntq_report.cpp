// ntq-report: a run, a sweep or a checkpoint as one HTML page.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>

#include "apps/command.h"
#include "apps/config.h"
#include "apps/json.h"
#include "apps/report/report.h"
#include "apps/report/tensorboard.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/printable.h"

using namespace ntq;
using namespace ntq::apps;

namespace {

struct ReportOptions {
  std::string path;
  std::optional<std::string> output, tensorboard;
  bool json = false;
};

bool parse(int argc, char** argv, ReportOptions& o) {
  CLI::App app(
      "Make one HTML page of a run, a sweep or a checkpoint. It opens offline, and needs no data to be made.\n"
      "Analyses are shown where they lie beside a run, as its <analysis>.json:\n"
      "  ntq-analyze RUN/last.bin sensitivity --json > RUN/sensitivity.json");
  app.add_option("PATH", o.path, "a run folder, a sweep's folder, or a checkpoint")->type_name("")->required();
  app.add_option("-o,--output", o.output, "the page [report.html in the folder, or <name>.report.html beside the file]")
      ->type_name("FILE");
  app.add_option("--tensorboard", o.tensorboard, "write event files too, in a folder of DIR for each run")
      ->type_name("DIR");
  app.add_flag("--json", o.json, "one JSON object on stdout: the paths");
  if (!parse_or_answer(app, argc, argv)) return false;
  if (o.output && o.output->empty()) throw UsageError("--output: expected a name, found nothing");
  if (o.tensorboard && o.tensorboard->empty()) throw UsageError("--tensorboard: expected a folder, found nothing");
  return true;
}

void run(const ReportOptions& o) {
  if (o.tensorboard && kind_of_report(o.path) == ReportOf::checkpoint) {
    throw UsageError("--tensorboard: a checkpoint has no curves; name its run folder");
  }
  const std::string place = o.output ? *o.output : report_place(o.path);
  make_report(o.path, place);
  Json events = Json::array();
  for (const auto& one : o.tensorboard ? runs_of(o.path) : std::vector<ReportedRun>()) {
    events.push_back(write_events(one.path, one.name, *o.tensorboard));
  }
  const auto bytes = std::filesystem::file_size(place);
  if (o.json) return print_json({{"report", place}, {"bytes", bytes}, {"events", events}});
  std::cout << printable(place) << ", " << bytes_text(static_cast<double>(bytes)) << '\n';
  for (const Json& path : events) std::cout << printable(path.get<std::string>()) << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  return run_command(argc, argv, [&] {
    ReportOptions options;
    if (parse(argc, argv, options)) run(options);
  });
}
