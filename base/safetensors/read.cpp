#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/crc32.h"
#include "base/input_file.h"
#include "base/safetensors/header.h"
#include "base/safetensors/other_formats.h"

namespace ntq::safetensors {

static_assert(std::endian::native == std::endian::little, "safetensors files hold little-endian values");

Reader::Reader(const std::string& path) : name_(path), file_(std::make_unique<InputFile>(path)), size_(file_->size()) {
  open();
}

Reader::Reader(std::string_view bytes, std::string name) : name_(std::move(name)), bytes_(bytes), size_(bytes.size()) {
  open();
}

Reader::~Reader() = default;

void Reader::open() {
  // To say what a file of another kind is.
  const std::string start = file_ ? file_->start(kFormatBytes) : std::string(bytes_.substr(0, kFormatBytes));
  try {
    const std::string text = header_text();
    header_ = parse_header(text, size_ - kLengthBytes - text.size(), name_);
  } catch (const CheckpointError&) {
    const std::string known = what_is(start, name_);
    if (known.empty()) throw;
    throw CheckpointError(concat(printable(name_), ": ", known));
  }
  if (auto table = header_.metadata.extract(kChecksums)) checksums_ = std::move(table.mapped());
}

std::string Reader::header_text() {
  if (size_ < kLengthBytes + 2) damaged(name_, "expected at least 10 bytes, found ", size_);
  std::array<unsigned char, kLengthBytes> prefix{};
  read(prefix.data(), prefix.size());
  const auto length = std::bit_cast<uint64_t>(prefix);
  if (length < 2 || length > kMaxHeaderBytes || length > size_ - kLengthBytes) {
    damaged(name_, "the header claims ", length, " bytes, expected 2 to ",
            std::min(kMaxHeaderBytes, size_ - kLengthBytes));
  }
  std::string text(static_cast<size_t>(length), '\0');
  read(text.data(), text.size());
  return text;
}

void Reader::read_values(const std::function<void*(size_t i)>& place) {
  std::vector<std::string> sums(header_.entries.size());
  for (const size_t i : order_by_offset(header_.entries)) {
    const auto bytes = header_.entries[i].bytes();
    void* const to = place(i);
    if (to == nullptr) {
      sums[i] = pass_over(bytes);
      continue;
    }
    read(to, static_cast<size_t>(bytes));
    if (checksums_) sums[i] = checksum(to, static_cast<size_t>(bytes));
  }
  if (checksums_) verify_checksums(*checksums_, header_, sums, name_);
}

/// The values of a tensor that is not kept; their checksum, if it is asked for.
std::string Reader::pass_over(uint64_t bytes) {
  if (!checksums_) {
    skip(bytes);
    return {};
  }
  std::string chunk;
  Crc32 sum;
  for (; bytes > 0; bytes -= chunk.size()) {
    chunk.resize(static_cast<size_t>(std::min<uint64_t>(bytes, 1 << 20)));
    read(chunk.data(), chunk.size());
    sum.add(chunk.data(), chunk.size());
  }
  return sum.text();
}

void Reader::read(void* to, size_t bytes) {
  if (file_) {
    const size_t got = file_->read(to, bytes);
    if (got < bytes) damaged(name_, "reading stopped before the end, after ", got, " of ", bytes, " bytes");
  } else if (bytes > 0) {
    std::memcpy(to, bytes_.data(), bytes);
    bytes_.remove_prefix(bytes);
  }
}

void Reader::skip(uint64_t bytes) {
  if (file_) {
    file_->skip(bytes);
  } else {
    bytes_.remove_prefix(static_cast<size_t>(bytes));
  }
}

}  // namespace ntq::safetensors
