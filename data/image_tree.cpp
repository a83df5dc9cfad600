#include "data/image_tree.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"

namespace ntq {
namespace fs = std::filesystem;
namespace {

// Links that cross may make more paths than there are folders; these are far more than anyone means.
constexpr size_t kMostFolders = size_t{1} << 20, kMostDepth = 64;

/// The ending in lower case, with its dot; "": none.
std::string ending_of(const std::string& name) {
  const auto dot = name.rfind('.');
  if (dot == std::string::npos || dot == 0) return {};
  std::string ending = name.substr(dot);
  for (char& c : ending) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return ending;
}

/// What a file that is not taken is counted as.
std::string kind_of(const std::string& name) {
  if (name[0] == '.') return "hidden";
  const std::string ending = ending_of(name);
  const bool plain = std::all_of(ending.begin(), ending.end(), [](char c) {
    return c == '.' || c == '_' || c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
  });
  if (ending.size() < 2) return "without an ending";
  return plain && ending.size() <= 12 ? ending : "of an odd ending";
}

using Kind = OpenFolder::Entry::Kind;

/// Collects folders in any order; read_image_tree() sorts.
class Walk {
 public:
  explicit Walk(std::vector<FolderId> above) : above_(std::move(above)) {}

  struct Folder {
    std::string path;  ///< from the top
    std::vector<ImageTree::File> files;
  };
  std::vector<Folder> folders;
  LeftOut left_out;

  void visit(const fs::path& top, const std::string& below) {
    const fs::path path = below.empty() ? top : top / below;
    const auto [id, inner] = read(path, below);
    if (inner.empty()) return;
    above_.push_back(id);
    for (const std::string& name : inner) visit(top, name);
    above_.pop_back();
  }

 private:
  /// Takes one folder's files; gives its inner folders. It is closed again before those are visited.
  std::pair<FolderId, std::vector<std::string>> read(const fs::path& path, const std::string& below) {
    OpenFolder open(path);
    if (std::find(above_.begin(), above_.end(), open.id()) != above_.end()) {
      ++left_out["link back to a folder above it"];
      return {};
    }
    if (folders.size() >= kMostFolders || above_.size() > kMostDepth) {
      throw DataError(concat(path.string(), ": more than ", kMostFolders, " folders, or more than ", kMostDepth,
                             " within each other; are there links that lead in circles?"));
    }
    const std::string prefix = below.empty() ? "" : below + "/";
    std::vector<std::string> inner;
    std::vector<ImageTree::File> files;
    for (OpenFolder::Entry& entry : open.entries()) {
      const bool folder =
          entry.kind == Kind::folder || (entry.kind == Kind::unknown && open.is_folder(entry.name.c_str()));
      if (folder && entry.name[0] != '.') {
        inner.push_back(prefix + entry.name);
      } else if (!folder && is_image_name(entry.name)) {
        files.push_back({std::move(entry.name), 0});
      } else {
        ++left_out[kind_of(entry.name)];
      }
    }
    std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    for (ImageTree::File& file : files) {
      file.size = std::max<int64_t>(open.file_size(file.name.c_str()), -1);
      file.name.insert(0, prefix);
    }
    folders.push_back({below, std::move(files)});
    return {open.id(), std::move(inner)};
  }

  std::vector<FolderId> above_;
};

}  // namespace

bool is_image_name(const std::string& name) {
  const std::string ending = ending_of(name);
  if (name[0] == '.') return false;
#ifdef NTQ_LIBWEBP
  if (ending == ".webp") return true;
#endif
  return ending == ".jpeg" || ending == ".jpg" || ending == ".png" || ending == ".bmp";
}

std::string image_endings() {
#ifdef NTQ_LIBWEBP
  return ".jpg, .jpeg, .png, .bmp, .webp";
#else
  return ".jpg, .jpeg, .png, .bmp; .webp in a build with libwebp-dev";
#endif
}

ImageTree read_image_tree(const fs::path& top, const std::vector<FolderId>& above) {
  Walk walk(above);
  walk.visit(top, "");
  // The order of sorted(os.walk(top)): folders by the text of their paths, then files by name.
  std::sort(walk.folders.begin(), walk.folders.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  ImageTree tree;
  tree.left_out = std::move(walk.left_out);
  for (Walk::Folder& folder : walk.folders) {
    std::move(folder.files.begin(), folder.files.end(), std::back_inserter(tree.files));
  }
  return tree;
}

ClassList list_class_folders(const fs::path& root) {
  OpenFolder open(root);
  ClassList out;
  out.above = {open.id()};
  std::error_code unknown;
  for (fs::path path = fs::canonical(root, unknown); path.has_relative_path();) {
    path = path.parent_path();
    out.above.push_back(OpenFolder(path).id());
  }
  const auto leads_back = [&](const std::string& name) {
    return std::find(out.above.begin(), out.above.end(), OpenFolder(root / name).id()) != out.above.end();
  };
  for (const OpenFolder::Entry& entry : open.entries()) {
    const bool folder =
        entry.kind == Kind::folder || (entry.kind == Kind::unknown && open.is_folder(entry.name.c_str()));
    if (!folder) {
      ++out.left_out[kind_of(entry.name) + (is_image_name(entry.name) ? " outside of class folders" : "")];
    } else if (entry.name[0] == '.') {
      ++out.left_out["hidden"];
    } else if (entry.kind == Kind::unknown && leads_back(entry.name)) {
      ++out.left_out["link back to a folder above it"];
    } else {
      out.names.push_back(entry.name);
    }
  }
  std::sort(out.names.begin(), out.names.end());
  return out;
}

}  // namespace ntq
