#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <functional>

#include "engine/serialize.h"
#include "engine/serialize/input_file.h"
#include "engine/serialize/other_formats.h"
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
  std::string start;  // the first kFormatBytes, to say what a file of another kind is
  std::function<void(void* to, size_t bytes)> read;
  std::function<void(uint64_t bytes)> skip;
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

Header read_header(Source& source) {
  try {
    const std::string text = read_header_text(source);
    return safetensors::parse_header(text, source.size - kLengthBytes - text.size(), source.name);
  } catch (const CheckpointError&) {
    const std::string known = what_is(source.start, source.name);
    if (known.empty()) throw;
    throw CheckpointError(concat(printable(source.name), ": ", known));
  }
}

/// The values of a tensor that is not kept; their checksum, if it is asked for.
std::string pass_over(Source& source, uint64_t bytes, bool with_checksum) {
  if (!with_checksum) {
    source.skip(bytes);
    return {};
  }
  std::string chunk;
  Checksum sum;
  for (; bytes > 0; bytes -= chunk.size()) {
    chunk.resize(static_cast<size_t>(std::min<uint64_t>(bytes, 1 << 20)));
    source.read(chunk.data(), chunk.size());
    sum.add(chunk.data(), chunk.size());
  }
  return sum.text();
}

TensorFile read_tensors(Source source) {
  Header header = read_header(source);
  const auto table = header.metadata.find(kChecksums);
  const bool with_checksums = table != header.metadata.end();

  std::vector<Tensor> tensors(header.entries.size());
  std::vector<std::string> sums(header.entries.size());
  for (const size_t i : order_by_offset(header.entries)) {
    const Entry& entry = header.entries[i];
    if (!entry.readable()) {
      sums[i] = pass_over(source, entry.bytes(), with_checksums);
      continue;
    }
    Tensor& tensor = tensors[i] = Tensor::empty(Shape(std::span<const int64_t>(entry.sizes)), *find_dtype(entry.dtype));
    if (tensor.bytes() > 0) source.read(tensor.raw(), tensor.bytes());
    if (with_checksums) sums[i] = checksum(tensor.raw(), tensor.bytes());
  }
  if (with_checksums) {
    verify_checksums(table->second, header, sums, source.name);
    header.metadata.erase(table);
  }
  TensorFile file;
  file.metadata = std::move(header.metadata);
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].defined()) {
      file.tensors.emplace_back(header.entries[i].name, std::move(tensors[i]));
    } else {
      file.skipped.push_back(header.entries[i]);
    }
  }
  return file;
}

TensorHeader read_public_header(Source source) {
  Header header = read_header(source);
  TensorHeader out;
  out.metadata = std::move(header.metadata);
  out.metadata.erase(kChecksums);
  for (Entry& entry : header.entries) out.entries.push_back(std::move(static_cast<TensorInfo&>(entry)));
  return out;
}

Source source_of(InputFile& file, const std::string& path) {
  return {path, file.size(), file.start(kFormatBytes),
          [&](void* to, size_t bytes) {
            const size_t got = file.read(to, bytes);
            if (got < bytes) damaged(path, "reading stopped before the end, after ", got, " of ", bytes, " bytes");
          },
          [&](uint64_t bytes) { file.skip(bytes); }};
}

/// `bytes` is used up.
Source source_of(std::string_view& bytes, const std::string& name) {
  return {name, bytes.size(), std::string(bytes.substr(0, kFormatBytes)),
          [&](void* to, size_t count) {
            std::memcpy(to, bytes.data(), count);
            bytes.remove_prefix(count);
          },
          [&](uint64_t count) { bytes.remove_prefix(static_cast<size_t>(count)); }};
}

}  // namespace

TensorFile load_tensors(const std::string& path) {
  InputFile file(path);
  return read_tensors(source_of(file, path));
}

TensorHeader load_header(const std::string& path) {
  InputFile file(path);
  return read_public_header(source_of(file, path));
}

TensorFile parse_tensors(std::string_view bytes, const std::string& name) {
  return read_tensors(source_of(bytes, name));
}

TensorHeader parse_header(std::string_view bytes, const std::string& name) {
  return read_public_header(source_of(bytes, name));
}

bool TensorInfo::readable() const {
  return find_dtype(dtype).has_value() && sizes.size() <= static_cast<size_t>(Shape::kMaxRank);
}

std::string TensorInfo::shape() const {
  std::string text = "{";
  for (size_t i = 0; i < sizes.size(); ++i) text += (i ? "," : "") + std::to_string(sizes[i]);
  return text + "}";
}

const Tensor& TensorFile::at(const std::string& name) const {
  constexpr size_t kNamed = 10;
  std::string there;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].first == name) return tensors[i].second;
    if (i < kNamed) there += (i ? ", " : "") + in_quotes(tensors[i].first);
  }
  for (const TensorInfo& info : skipped) {
    if (info.name != name) continue;
    throw CheckpointError(
        concat("tensor ", in_quotes(name), " is ", info.dtype, " ", info.shape(), ", which cannot be read"));
  }
  throw CheckpointError(concat("no tensor ", in_quotes(name), " in the file; it holds ", tensors.size(), ": ", there,
                               tensors.size() > kNamed ? ", ..." : ""));
}

}  // namespace ntq
