#pragma once
// The image files in a folder and all folders below it, as torchvision's ImageFolder finds and orders them.
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace ntq {

/// Names that count as images, by their ending in any case: .jpeg, .jpg, .png, .bmp, and .webp where this build reads
/// it. Not those that begin with a dot.
bool is_image_name(const std::string& name);
/// Those endings, for messages.
std::string image_endings();

/// Device and inode.
using FolderId = std::pair<uint64_t, uint64_t>;

/// What is not taken: how many of ".gif", "hidden" and so on.
using LeftOut = std::map<std::string, int64_t>;

struct ImageTree {
  struct File {
    std::string name;  ///< from the tree's root: "a.jpg", "more/a.jpg"
    int64_t size = 0;  ///< bytes; -1: not a regular file, so a bad image
  };
  std::vector<File> files;  ///< by folder, then by name
  LeftOut left_out;
};

/// Follows links, except to a folder that holds them: `above` are those that hold `top`. Throws DataError for a folder
/// that cannot be read, and for more folders than can be meant.
ImageTree read_image_tree(const std::filesystem::path& top, const std::vector<FolderId>& above = {});

struct ClassList {
  std::vector<std::string> names;  ///< sorted
  std::vector<FolderId> above;     ///< the root, and the folders that it lies in
  LeftOut left_out;
};
/// The folders in `root`, those that lead back to it or above it aside. Throws DataError when it cannot be read.
ClassList list_class_folders(const std::filesystem::path& root);

/// A folder, opened: what it is, the sizes of its files by name (-1: not a regular file, -2: not there).
class OpenFolder {
 public:
  /// Throws DataError.
  explicit OpenFolder(const std::filesystem::path& path);
  ~OpenFolder();
  OpenFolder(const OpenFolder&) = delete;
  OpenFolder& operator=(const OpenFolder&) = delete;
  struct Entry {
    std::string name;
    enum class Kind { folder, file, unknown } kind;  ///< unknown: a link, or a file system that does not tell
  };
  /// All entries but . and ..
  std::vector<Entry> entries();
  FolderId id() const { return id_; }
  int64_t file_size(const char* name) const;
  bool is_folder(const char* name) const;

 private:
  std::string name_;
  void* stream_ = nullptr;
  int descriptor_ = -1;
  FolderId id_;
};

}  // namespace ntq
