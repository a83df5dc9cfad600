#pragma once
// Finding data files and their sizes; what goes wrong is a DataError that says what to do.
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace ntq {

/// Files that claim more images than this are refused, so that a damaged header cannot ask for all memory.
constexpr int64_t kMaxRecords = 1 << 20;

/// The first of `folders` that holds at least one of `files`. The error lists every folder tried, then `advice`.
std::filesystem::path find_folder(std::string_view dataset, const std::vector<std::filesystem::path>& folders,
                                  const std::vector<std::string>& files, std::string_view advice);

/// Size of a regular file.
int64_t file_bytes(const std::filesystem::path& path);

}  // namespace ntq
