#pragma once
// The readers that take a path get their input in a file; in memory, where there is such a folder.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace ntq::fuzz {

/// A folder of this process, removed at its end.
inline const std::filesystem::path& folder() {
  struct Folder {
    std::filesystem::path path;
    Folder() {
      const std::filesystem::path memory = "/dev/shm";
      std::string name =
          ((exists(memory) ? memory : std::filesystem::temp_directory_path()) / "ntq-fuzz-XXXXXX").string();
      if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
      path = name;
    }
    ~Folder() {
      std::error_code ignored;
      remove_all(path, ignored);
    }
  };
  static const Folder made;
  return made.path;
}

inline std::filesystem::path write_input(const char* name, const uint8_t* data, size_t size) {
  const auto path = folder() / name;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  return path;
}

}  // namespace ntq::fuzz
