#pragma once
// What the suites of serialize share: a folder of one's own, a small file, expected errors.
#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "engine/serialize.h"
#include "tests/support/text.h"

namespace ntq::test {

/// An empty folder, removed with all that is in it.
class Folder {
 public:
  Folder() {
    static std::atomic<int> counter{0};
    path_ = std::filesystem::temp_directory_path() / concat("ntq-serialize-", ::getpid(), "-", counter++);
    std::filesystem::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string str() const { return path_.string(); }
  size_t entries() const { return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(path_), {})); }

 private:
  std::filesystem::path path_;
};

inline std::string read_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Names, types, shapes and bytes alike, and the metadata.
inline bool same_file(const TensorFile& a, const TensorFile& b) {
  if (a.metadata != b.metadata || a.tensors.size() != b.tensors.size()) return false;
  for (size_t i = 0; i < a.tensors.size(); ++i) {
    const auto& [name, x] = a.tensors[i];
    const auto& [other_name, y] = b.tensors[i];
    if (name != other_name || x.dtype() != y.dtype() || !(x.shape() == y.shape())) return false;
    if (x.bytes() > 0 && std::memcmp(x.raw(), y.raw(), x.bytes()) != 0) return false;
  }
  return true;
}

template <class T>
Tensor values(const Shape& shape, std::initializer_list<T> list) {
  return Tensor::from(shape, std::span<const T>(list.begin(), list.size()));
}

/// Narrow elements first, so that the order in the header and that of the data differ.
inline TensorFile small_file() {
  Tensor half = Tensor::empty({2}, DType::f16);
  const uint16_t bits[] = {0x3c00, 0xc000};  // 1, -2
  std::memcpy(half.raw(), bits, sizeof bits);
  return {{{"model", "resnet20 \"\u00fc\""}, {"epoch", "3"}},
          {{"codes", values<uint8_t>({3}, {1, 2, 255})},
           {"conv1.weight", Tensor::from({2, 2}, {-.5f, .25f, 1, 3})},
           {"steps", values<int64_t>(Shape(), {-5})},
           {"half", half},
           {"empty", Tensor::zeros({0, 3})}}};
}

/// A file of that header and so many bytes of values.
inline std::string raw_file(const std::string& header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + std::string(data_bytes, '\0');
}

/// Message of the CheckpointError that `call` throws; one line. Empty when it throws none.
template <class Call>
std::string checkpoint_error(Call call) {
  try {
    call();
  } catch (const CheckpointError& error) {
    const std::string what = error.what();
    CHECK(what.find('\n') == std::string::npos);
    CHECK(error.exit_code() == 4);
    return what;
  }
  return "";
}

}  // namespace ntq::test
