// Any bytes as a list of labels: labels that have names, or a refusal.
#include <cstdlib>

#include "base/check.h"
#include "data/label_list.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void read_list(const std::string& text, const std::vector<std::string>& classes) {
  ntq::FileIndex files;
  files.classes.push_back({"", 0});
  for (const char* name : {"1.jpg", "a/2.jpg", "b/2.jpg", "x y.png"}) files.add(name, 1);
  try {
    const ntq::Labels labels = ntq::parse_label_list(text, "list", files, classes);
    require(static_cast<int64_t>(labels.labels.size()) == files.size());
    for (const int32_t label : labels.labels) {
      require(label >= 0 && label < static_cast<int32_t>(labels.class_names.size()));
    }
  } catch (const ntq::DataError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  read_list(text, {});
  read_list(text, {"cat", "dog", "Ankle boot"});
  return 0;
}
