#pragma once
// Which image files a folder of class folders holds: <root>/<class>/<file>. Reading a million names takes a while, so
// the list is kept in a cache.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace ntq {

struct ClassFolder {
  std::string name;
  int64_t changed = 0;  ///< time of its last change, in the file clock's ticks
  int64_t files = 0;
};

/// Classes sorted by name, files within a class too: the order that everyone gives them.
class FileIndex {
 public:
  std::vector<ClassFolder> classes;

  int64_t size() const { return static_cast<int64_t>(ends_.size()); }
  std::string name(int64_t file) const;
  /// The class, an index into `classes`.
  int32_t label(int64_t file) const;
  /// Appends a file to the last class.
  void add(const std::string& name);

 private:
  friend std::string pack_index(const FileIndex& index, const std::string& root);
  friend bool unpack_index(const std::string& bytes, const std::string& root, FileIndex& index);
  std::string names_;               // one after another
  std::vector<uint32_t> ends_;      // where each name ends
  std::vector<int64_t> class_end_;  // files up to each class's end
};

/// Images found so far, class folders read, and of how many.
using IndexProgress = std::function<void(int64_t, int64_t, int64_t)>;

/// Names that count as images: .jpeg, .jpg, .png in any case, not beginning with a dot.
bool is_image_name(const std::string& name);
/// Those in `folder`, sorted. Throws DataError when it cannot be read.
std::vector<std::string> list_images(const std::filesystem::path& folder);

/// Reads `root`, or takes the list from `cache` when no folder in `root` has changed since. A `cache` that cannot be
/// read or written is passed over. Throws DataError when `root` cannot be read.
FileIndex read_index(const std::filesystem::path& root, const std::filesystem::path& cache,
                     const IndexProgress& progress = {});

/// Where the list for `root` is kept: $XDG_CACHE_HOME/ntq or ~/.cache/ntq; empty when there is neither.
std::filesystem::path index_cache_path(const std::filesystem::path& root);

/// The cache file's bytes, and back; false for damaged ones or those of another root.
std::string pack_index(const FileIndex& index, const std::string& root);
bool unpack_index(const std::string& bytes, const std::string& root, FileIndex& index);

}  // namespace ntq
