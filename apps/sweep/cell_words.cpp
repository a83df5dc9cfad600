#include "apps/sweep/cell_words.h"

#include <algorithm>
#include <thread>

namespace ntq::apps {

std::vector<std::string> cell_words(const Cell& cell, const CellStatus& status, const RunnerOptions& options,
                                    const std::string& init) {
  std::vector<std::string> words;
  if (status.run) {
    words = resume_words(cell.given);
    words.push_back("--resume=" + status.run->path);
  } else {
    words = train_words(cell.given);
    words.insert(words.end(), {"--output", folder_of(options.folder, cell)});
    if (!init.empty()) words.insert(words.end(), {"--init", init});
  }
  if (!cell.given.threads && options.jobs > 1) {
    const int64_t cores = std::max<int64_t>(1, std::thread::hardware_concurrency());
    words.insert(words.end(), {"--threads", std::to_string(std::max<int64_t>(1, cores / options.jobs))});
  }
  words.emplace_back("--quiet");
  return words;
}

}  // namespace ntq::apps
