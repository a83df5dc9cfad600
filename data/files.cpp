#include "data/files.h"

#include <algorithm>

#include "base/check.h"

namespace ntq {
namespace fs = std::filesystem;

fs::path find_folder(std::string_view dataset, const std::vector<fs::path>& folders,
                     const std::vector<std::string>& files, std::string_view advice) {
  std::string tried;
  for (const fs::path& folder : folders) {
    std::error_code error;
    const bool found = std::any_of(files.begin(), files.end(), [&](const std::string& file) {
      std::error_code missing;
      return fs::exists(folder / file, missing);
    });
    if (found) return folder;
    const bool present = fs::is_directory(folder, error);
    const bool locked = error == std::errc::permission_denied;
    tried +=
        concat("\n  ", folder.string(),
               present ? " (there, without these files)" : (locked ? " (permission denied)" : " (no such folder)"));
  }
  throw DataError(
      concat(dataset, ": no data found. Looked for ", files.front(), " and the like in", tried, "\n", advice));
}

int64_t file_bytes(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    throw DataError(concat(path.string(), ": the file is missing, though others of its data set are there; unpack the ",
                           "data set again"));
  }
  if (error) throw DataError(concat(path.string(), ": cannot be read: ", error.message()));
  if (status.type() != fs::file_type::regular) {
    throw DataError(concat(path.string(), ": expected a file, found ",
                           status.type() == fs::file_type::directory ? "a folder" : "a pipe, socket or device"));
  }
  const auto bytes = fs::file_size(path, error);
  if (error) throw DataError(concat(path.string(), ": cannot be read: ", error.message()));
  return static_cast<int64_t>(bytes);
}

}  // namespace ntq
