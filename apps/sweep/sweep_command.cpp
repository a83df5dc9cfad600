#include "apps/sweep/sweep_command.h"

#include <CLI/CLI.hpp>
#include <charconv>

#include "apps/command.h"
#include "apps/command_line.h"
#include "apps/config.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/printable.h"

namespace ntq::apps {
namespace {

constexpr int64_t kLongestRange = 1'000'000;

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t begin = 0, end; begin <= text.size(); begin = end + 1) {
    end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
  }
  return parts;
}

/// The values of a list, by the type of the option's field. "0..4" are integers.
Json values_of(const std::string& name, const std::string& text, int64_t) {
  Json out = Json::array();
  for (const std::string& part : split(text)) {
    const size_t dots = part.find("..");
    if (dots == std::string::npos) {
      out.push_back(parse_integer(name, part));
      continue;
    }
    const int64_t low = parse_integer(name, part.substr(0, dots)), high = parse_integer(name, part.substr(dots + 2));
    if (high < low || high / 2 - low / 2 >= kLongestRange / 2) {
      throw UsageError(
          concat(name, ": expected a range of 1 to ", kLongestRange, " integers, as 0..4, found ", in_quotes(part)));
    }
    for (int64_t i = low; i <= high; ++i) out.push_back(i);
  }
  return out;
}
Json values_of(const std::string& name, const std::string& text, double) {
  Json out = Json::array();
  for (const std::string& part : split(text)) out.push_back(parse_real(name, part));
  return out;
}
Json values_of(const std::string& name, const std::string& text, const std::string&) {
  if (!is_utf8(text)) throw UsageError(concat(name, ": expected UTF-8, found ", in_quotes(text)));
  // Their own values have commas.
  if (name == "--mean" || name == "--std" || name == "--bits-before") return Json::array({text});
  Json out = Json::array();
  for (const std::string& part : split(text)) out.push_back(part);
  return out;
}
template <class T>
Json values_of(const std::string& name, const std::string& text, const std::optional<T>&) {
  return values_of(name, text, T{});
}

/// What the command line asks of an option: one value stands above all that the file says, a list is the grid's.
void take(SweepFile& file, const std::string& key, const Json& values) {
  file.grid.erase(key);
  if (values.size() == 1) {
    put_options(file.forced, Json{{key, values[0]}});
  } else {
    file.grid[key] = values;
  }
}

using Takers = std::vector<std::function<void(SweepFile&)>>;

template <class T>
void add_list(CLI::App& app, const Option& option, Takers& takers, const T& field) {
  const std::string name = concat("--", option.name), key = option.key();
  const auto set = [&takers, name, key, field](const std::string& text) {
    const Json values = values_of(name, text, field);
    takers.push_back([key, values](SweepFile& file) { take(file, key, values); });
  };
  app.add_option_function<std::string>(name, set, option.help)->type_name("LIST");
}
void add_list(CLI::App& app, const Option& option, Takers& takers, bool) {
  const auto set = [&takers, key = option.key()](int64_t count) {
    takers.push_back([key, count](SweepFile& file) { take(file, key, Json::array({count > 0})); });
  };
  app.add_flag_function(concat("--", option.name), set, option.help);
}
/// Settings: a list for each.
void add_list(CLI::App& app, const Option& option, Takers& takers, const Settings&) {
  const auto set = [&takers, name = concat("--", option.name)](const std::vector<std::string>& all) {
    for (const auto& text : all) {
      const size_t equals = text.find('=');
      if (equals == 0 || equals >= text.size() - 1) {
        throw UsageError(concat(name, ": expected KEY=VALUE, found ", in_quotes(text)));
      }
      const Json values = values_of(name, text.substr(equals + 1), std::string());
      takers.push_back([key = "quant." + text.substr(0, equals), values](SweepFile& file) { take(file, key, values); });
    }
  };
  app.add_option_function<std::vector<std::string>>(concat("--", option.name), set, option.help)
      ->type_name("KEY=LIST")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}
void add_list(CLI::App& app, const Option& option, Takers& takers, const BitsByLayer&) {
  const auto set = [&takers, name = concat("--", option.name)](const std::vector<std::string>& all) {
    Json layers = Json::object();
    for (const auto& text : all) add_layer_bits(name, text, layers);
    takers.push_back([layers](SweepFile& file) { take(file, "bits_of", Json::array({layers})); });
  };
  app.add_option_function<std::vector<std::string>>(concat("--", option.name), set, option.help)
      ->type_name("LAYER=BITS")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

bool is_file(const std::string& word) { return word.find('/') != std::string::npos || word.ends_with(".json"); }

}  // namespace

std::optional<SweepCommand> parse_sweep_command(int argc, char** argv) {
  SweepCommand command;
  std::string sweep, columns;
  std::optional<std::string> dataset, model;
  Takers takers;
  CLI::App app(
      "Train a grid of networks, each by ntq-train, and make a table of them:\n"
      "  ntq-sweep mine cifar100 resnet20 --bits 2,4,8 --method lsq,ntq --seed 0..4 --jobs 2\n"
      "  ntq-sweep sweeps/resnet20-table4.json --jobs 2\n"
      "Options of ntq-train take a list: 2,4,8 or, of integers, 0..4. One value stands above what a file says. Flags,\n"
      "--bits-of, --bits-before, --mean and --std take one; a file's grid can vary them: {\"nesterov\": [true, "
      "false]}.\n"
      "The same command goes on where it was stopped, killed or switched off; what is finished is not run again.");
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("SWEEP", sweep, "a sweep file (x.json), or the name of a new sweep's folder")
      ->type_name("")
      ->required();
  app.add_option("DATASET", dataset, "as those of ntq-train, or a list; stands above what the file says")
      ->type_name("");
  app.add_option("MODEL", model, "likewise")->type_name("");
  const TrainConfig fields;
  for_each_option(fields, [&](const Option& option, const auto& field) {
    if (option.key() == "output") return;
    app.option_defaults()->group(kHidden);
    add_list(app, option, takers, field);
  });
  app.option_defaults()->group("Sweep");
  app.add_option("--output", command.output, "the sweep's folder is made in it [runs]")->type_name("DIR");
  app.add_option("--name", command.file.name, "of the sweep's folder, instead of the file's")->type_name("NAME");
  app.add_option("--jobs", command.jobs, "trainings at a time, which share the cores [1]")->type_name("N");
  app.add_flag("--retry-failed", command.retry_failed, "those that failed, too");
  app.add_option("--max-cells", command.max_cells, "a larger grid is refused [1000]")->type_name("N");
  app.add_flag("--dry-run", command.dry_run, "list the cells, what is done, and commands; train nothing");
  app.option_defaults()->group("Table");
  app.add_flag("--table", command.table, "of what is done so far; train nothing");
  app.add_option("--columns", columns, "options that stand in columns [widths, model, data set]")
      ->type_name("NAME,NAME");
  std::optional<std::string> baseline;
  app.add_option("--baseline", baseline, "row that the others are compared with [the first that is quantized]")
      ->type_name("NAME");
  bool top5 = false;
  app.add_flag("--top5", top5, "top-5 too");
  app.add_option("--csv", command.csv, "write a line for each run")->type_name("FILE");
  app.add_option("--markdown", command.markdown, "write the tables")->type_name("FILE");
  app.add_option("--html", command.html, "write the tables as one page")->type_name("FILE");
  app.add_flag("--quiet", command.quiet, "only warnings and errors");
  app.add_flag("--json", command.json, "one JSON object on stdout, all else on stderr");
  if (!parse_or_answer(app, argc, argv)) return std::nullopt;

  const std::string name = command.file.name;
  if (is_file(sweep)) {
    command.file = read_sweep_file(sweep);
  } else {
    if (!dataset || !model) {
      throw UsageError("expected ntq-sweep FILE.json, or ntq-sweep NAME DATASET MODEL --OPTION LIST ... (see --help)");
    }
    check_sweep_name("SWEEP", sweep);
    command.file.where = "command line";
    command.file.name = command.file.title = sweep;
  }
  if (dataset) take(command.file, "dataset", values_of("DATASET", *dataset, std::string()));
  if (model) take(command.file, "model", values_of("MODEL", *model, std::string()));
  if (!name.empty()) {
    check_sweep_name("--name", name);
    command.file.name = name;
  }
  for (const auto& taker : takers) taker(command.file);
  if (!columns.empty()) {
    command.file.columns = split(columns);
    for (auto& column : command.file.columns) std::replace(column.begin(), column.end(), '-', '_');
  }
  if (baseline) command.file.baseline = *baseline;
  auto& also = command.file.also;
  if (top5 && std::find(also.begin(), also.end(), "top5") == also.end()) also.emplace_back("top5");
  if (command.output.empty()) throw UsageError("--output: expected a folder, found nothing");
  if (command.jobs < 1 || command.jobs > 1024)
    throw UsageError(concat("--jobs: expected 1 to 1024, found ", command.jobs));
  if (command.max_cells < 1) throw UsageError(concat("--max-cells: expected 1 or more, found ", command.max_cells));
  if (command.table && command.dry_run) throw UsageError("--table: not together with --dry-run");
  return command;
}

}  // namespace ntq::apps
