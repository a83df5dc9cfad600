#include "apps/report/report.h"

#include <filesystem>

#include "apps/report/page.h"
#include "apps/report/run_page.h"
#include "apps/report/sweep_page.h"
#include "base/check.h"
#include "base/printable.h"

namespace ntq::apps {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostSweepCells = 1'000'000;

struct KeptSweep {
  SweepFile file;
  Standing standing;
};

KeptSweep kept_sweep(const std::string& folder) {
  KeptSweep out{.file = read_sweep_file(folder + "/" + kKeptSweepFile), .standing = {}};
  out.standing = stand(out.file, folder, kMostSweepCells, Journal(folder));
  return out;
}

}  // namespace

ReportOf kind_of_report(const std::string& path) {
  const RunFolder folder{path};
  std::error_code error;
  if (folder.has("config.json")) return ReportOf::run;
  if (folder.has(kKeptSweepFile)) return ReportOf::sweep;
  if (fs::is_regular_file(path, error)) return ReportOf::checkpoint;
  const bool there = fs::exists(path, error);
  throw UsageError(concat(printable(path), ": expected a run folder, a sweep's folder or a checkpoint, found ",
                          !there                          ? "nothing"
                          : fs::is_directory(path, error) ? "a folder with neither config.json nor sweep.json"
                                                          : "something else"));
}

std::string report_place(const std::string& path) {
  const fs::path own(path);
  if (kind_of_report(path) != ReportOf::checkpoint) return (own / "report.html").string();
  return (own.parent_path() / (own.stem().string() + ".report.html")).string();
}

void make_report(const std::string& path, const std::string& place) {
  const ReportOf kind = kind_of_report(path);
  if (kind == ReportOf::sweep) {
    const KeptSweep sweep = kept_sweep(path);
    const std::string beside = fs::path(place).parent_path().string();
    return write_report(place, sweep_page(sweep.file, sweep.standing, beside.empty() ? "." : beside));
  }
  write_report(place, run_page(kind == ReportOf::run ? run_facts({path}) : checkpoint_facts(path)));
}

std::vector<ReportedRun> runs_of(const std::string& path) {
  const ReportOf kind = kind_of_report(path);
  if (kind == ReportOf::run) return {{path, fs::weakly_canonical(path).filename().string()}};
  std::vector<ReportedRun> out;
  if (kind == ReportOf::checkpoint) return out;
  const Standing standing = kept_sweep(path).standing;
  for (size_t i = 0; i < standing.plan.cells.size(); ++i) {
    const auto& run = standing.state.cells[i].run;
    if (run) out.push_back({run->path, standing.plan.cells[i].name});
  }
  return out;
}

}  // namespace ntq::apps
