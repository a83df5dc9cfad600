#pragma once
// Which image files lie in a folder of class folders, and how long each is: <root>/<class>/**/<file>.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "data/image_tree.h"

namespace ntq {

struct ClassFolder {
  std::string name;  ///< "": the root itself, of an index without classes
  int64_t files = 0;
};

/// Classes sorted by name, the files of a class as torchvision sorts them.
class FileIndex {
 public:
  std::vector<ClassFolder> classes;
  LeftOut left_out;

  int64_t size() const { return static_cast<int64_t>(ends_.size()); }
  /// Within its class folder: "a.jpg", "more/a.jpg".
  std::string name(int64_t file) const { return std::string(view(file)); }
  /// The same; valid until a file is added.
  std::string_view view(int64_t file) const;
  /// Within the root.
  std::string path(int64_t file) const;
  /// In bytes; -1: not a regular file.
  int64_t file_size(int64_t file) const { return sizes_[static_cast<size_t>(file)]; }
  /// The class, an index into `classes`.
  int32_t label(int64_t file) const;
  /// Appends a file to the last class.
  void add(const std::string& name, int64_t size);

 private:
  std::string names_;               // one after another
  std::vector<uint32_t> ends_;      // where each name ends
  std::vector<int64_t> sizes_;      // of each file
  std::vector<int64_t> class_end_;  // files up to each class's end
};

/// Images found so far, class folders read, and of how many. What it throws ends the reading.
using IndexProgress = std::function<void(int64_t, int64_t, int64_t)>;

/// Reads `root`, on several threads. Nothing is kept for the next time: to see whether a list is still true takes as
/// long as reading it anew. Throws DataError when something in `root` cannot be read.
FileIndex read_index(const std::filesystem::path& root, const IndexProgress& progress = {});
/// All images in `root` and below it as one class without a name.
FileIndex read_flat_index(const std::filesystem::path& root);

/// "train: 4 files left out: 3 .gif, 1 .txt"; "" when there are none.
std::string left_out_notice(const FileIndex& index, const std::string& where);

}  // namespace ntq
