#pragma once
// Reports of what a path names.
#include <string>
#include <vector>

namespace ntq::apps {

enum class ReportOf { run, sweep, checkpoint };

/// A folder with config.json is a run, one with sweep.json a sweep, a file a checkpoint. Throws UsageError for all
/// else.
ReportOf kind_of_report(const std::string& path);

/// Where its page lies unless told otherwise: report.html in the folder, <name>.report.html beside a checkpoint.
std::string report_place(const std::string& path);

/// Makes the page and writes it to `place`. Throws UsageError where a file is that is no report of ours.
void make_report(const std::string& path, const std::string& place);

struct ReportedRun {
  std::string path, name;  ///< of a sweep the name is the cell's, which says the seed as the run folder's does not
};
/// The run folders that a path means: of a sweep those of its cells, in their order.
std::vector<ReportedRun> runs_of(const std::string& path);

}  // namespace ntq::apps
