#pragma once
// The readers that take a path get their input in a file; in memory, where there is such a folder.
#include <cstdint>
#include <filesystem>

#include "tests/support/files.h"

namespace ntq::fuzz {

/// A folder of this process, removed at its end.
inline const std::filesystem::path& folder() {
  const std::filesystem::path memory = "/dev/shm";
  static const test::TempFolder made(exists(memory) ? memory : std::filesystem::temp_directory_path());
  return made.path();
}

inline std::filesystem::path write_input(const char* name, const uint8_t* data, size_t size) {
  const auto path = folder() / name;
  test::write_file(path, {reinterpret_cast<const char*>(data), size});
  return path;
}

}  // namespace ntq::fuzz
