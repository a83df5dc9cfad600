#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <system_error>

#include "engine/serialize.h"
#include "engine/serialize/safetensors_header.h"

namespace ntq {
namespace {

using namespace safetensors;

static_assert(std::endian::native == std::endian::little, "safetensors files hold little-endian values");
constexpr uint64_t kLengthBytes = 8;

/// Bytes read once, from front to back.
struct Source {
  const std::string& name;
  uint64_t size;
  std::function<void(void* to, size_t bytes)> read;
};

std::string read_header_text(const Source& source) {
  if (source.size < kLengthBytes + 2) damaged(source.name, "expected at least 10 bytes, found ", source.size);
  std::array<unsigned char, kLengthBytes> prefix{};
  source.read(prefix.data(), prefix.size());
  const auto length = std::bit_cast<uint64_t>(prefix);
  if (length < 2 || length > kMaxHeaderBytes || length > source.size - kLengthBytes) {
    damaged(source.name, "the header claims ", length, " bytes, expected 2 to ",
            std::min(kMaxHeaderBytes, source.size - kLengthBytes));
  }
  std::string text(static_cast<size_t>(length), '\0');
  source.read(text.data(), text.size());
  return text;
}

TensorFile read_tensors(const Source& source) {
  const std::string text = read_header_text(source);
  Header header = parse_header(text, source.size - kLengthBytes - text.size(), source.name);

  TensorFile file;
  for (const Entry& entry : header.entries) file.tensors.emplace_back(entry.name, Tensor());
  for (const size_t i : order_by_offset(header.entries)) {
    Tensor& tensor = file.tensors[i].second;
    tensor = Tensor::empty(header.entries[i].shape, header.entries[i].dtype);
    if (tensor.bytes() > 0) source.read(tensor.raw(), tensor.bytes());
  }
  if (const auto table = header.metadata.find(kChecksums); table != header.metadata.end()) {
    std::vector<std::string> sums;
    for (const auto& [name, tensor] : file.tensors) sums.push_back(checksum(tensor.raw(), tensor.bytes()));
    verify_checksums(table->second, header, sums, source.name);
    header.metadata.erase(table);
  }
  file.metadata = std::move(header.metadata);
  return file;
}

}  // namespace

TensorFile load_tensors(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    throw CheckpointError(concat(path, ": cannot read the file: it is a folder or a device, not a regular file"));
  }
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  const uint64_t size = in ? std::filesystem::file_size(path, error) : 0;
  if (!in || error) {
    const int code = error ? error.value() : errno;
    throw CheckpointError(concat(path, ": cannot open the file: ", std::generic_category().message(code),
                                 "; check the path and its permissions"));
  }
  return read_tensors({path, size, [&](void* to, size_t bytes) {
                         if (!in.read(static_cast<char*>(to), static_cast<std::streamsize>(bytes))) {
                           damaged(path, "reading stopped before the end, after ", in.gcount(), " of ", bytes,
                                   " bytes");
                         }
                       }});
}

TensorFile parse_tensors(std::string_view bytes, const std::string& name) {
  return read_tensors({name, bytes.size(), [&](void* to, size_t count) {
                         std::memcpy(to, bytes.data(), count);
                         bytes.remove_prefix(count);
                       }});
}

const Tensor& TensorFile::at(const std::string& name) const {
  constexpr size_t kNamed = 10;
  std::string there;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].first == name) return tensors[i].second;
    if (i < kNamed) there += (i ? ", " : "") + in_quotes(tensors[i].first);
  }
  throw CheckpointError(concat("no tensor ", in_quotes(name), " in the file; it holds ", tensors.size(), ": ", there,
                               tensors.size() > kNamed ? ", ..." : ""));
}

}  // namespace ntq
