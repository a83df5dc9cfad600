#pragma once
// The list of a folder's files, kept between runs. It is believed only where all that can be compared is unchanged: of
// every folder the times, the inode and the number of entries, and the size of every file.
#include <filesystem>
#include <string>

#include "data/file_index.h"

namespace ntq {

/// Where the list for `root` is kept: $XDG_CACHE_HOME/ntq or ~/.cache/ntq; empty when there is neither.
std::filesystem::path index_cache_path(const std::filesystem::path& root);

/// Whether `cache` holds a list of `root` that is still true; then `index` is that.
bool load_index(const std::filesystem::path& cache, const std::filesystem::path& root, FileIndex& index);
/// Keeps a list, unless a folder changed a moment ago: it may change again within the same tick of its clock. What
/// fails is passed over: without a cache the folders are read again.
void keep_index(const std::filesystem::path& cache, const std::filesystem::path& root, const FileIndex& index);

/// The cache file's bytes, and back; false for damaged ones, those of another root, and those with names that are not
/// of image files below it.
std::string pack_index(const FileIndex& index, const std::string& root);
bool unpack_index(const std::string& bytes, const std::string& root, FileIndex& index);

/// Whether all folders and files are still as the index has them.
bool still_true(const FileIndex& index, const std::filesystem::path& root);

}  // namespace ntq
