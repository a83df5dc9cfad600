// Any bytes as a kept list of files, its checksum set right, and as a list of labels: files below the root, labels that
// have names, or a refusal.
#include <cstdlib>

#include "data/fingerprint.h"
#include "data/index_cache.h"
#include "data/label_list.h"
#include "engine/check.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void read_index_file(std::string bytes) {
  ntq::Fingerprint sum;
  sum.add(bytes.data(), bytes.size());
  const uint32_t value = sum.value();
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  ntq::FileIndex index;
  if (!ntq::unpack_index(bytes, "/root", index)) return;
  for (int64_t i = 0; i < index.size(); ++i) {
    const std::string path = "/" + index.path(i) + "/";
    require(path.find("/../") == path.npos && path.find("//") == path.npos && index.label(i) >= 0);
  }
  ntq::still_true(index, "/dev/null/nowhere");
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
  read_index_file(text);
  read_list(text, {});
  read_list(text, {"cat", "dog", "Ankle boot"});
  return 0;
}
