#include "data/idx.h"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "base/check.h"
#include "base/input_file.h"
#include "data/files.h"

namespace ntq {
namespace {

constexpr int64_t kMaxDeflateRatio = 1032;  // zlib.net/zlib_tech.html
constexpr uint8_t kUnsignedByte = 0x08;

/// A gzip or plain file, read front to back.
class GzipFile {
 public:
  explicit GzipFile(const std::filesystem::path& path) : path_(path), disk_bytes_(file_bytes(path)) {
    const int descriptor = InputFile(path.string(), FileOf::data).release();
    file_.reset(gzdopen(descriptor, "rb"));
    if (!file_) {
      ::close(descriptor);
      fail("cannot be read; there is no memory for it");
    }
  }
  /// Bytes read, fewer than asked for only at the end. Throws on damaged compression, checksums included.
  int64_t read(uint8_t* out, int64_t bytes) {
    int64_t done = 0;
    while (done < bytes) {
      const auto piece = static_cast<unsigned>(std::min<int64_t>(bytes - done, 1 << 20));
      const int got = gzread(file_.get(), out + done, piece);
      if (got > 0) done += got;
      if (got == static_cast<int>(piece)) continue;
      int code = Z_OK;
      std::string_view message = gzerror(file_.get(), &code);
      if (message.starts_with("<fd:")) message.remove_prefix(message.find('>') + 1);  // "<fd:3>: what"
      if (code == Z_BUF_ERROR) fail("the compressed data end early; download it again");
      if (got < 0 || code != Z_OK) fail(concat("cannot be read", message, "; download it again"));
      break;
    }
    return done;
  }
  /// The most bytes that can come out of it.
  int64_t max_bytes() { return gzdirect(file_.get()) != 0 ? disk_bytes_ : disk_bytes_ * kMaxDeflateRatio; }
  [[noreturn]] void fail(const std::string& what) const { throw DataError(concat(path_.string(), ": ", what)); }

 private:
  struct Close {
    void operator()(gzFile_s* file) const { gzclose_r(file); }
  };
  std::filesystem::path path_;
  int64_t disk_bytes_;
  std::unique_ptr<gzFile_s, Close> file_;
};

int64_t big_endian(const uint8_t* bytes) {
  return int64_t{bytes[0]} << 24 | int64_t{bytes[1]} << 16 | int64_t{bytes[2]} << 8 | int64_t{bytes[3]};
}

}  // namespace

IdxFile read_idx(const std::filesystem::path& path, std::span<const int64_t> item_sizes) {
  GzipFile file(path);
  const size_t axes = item_sizes.size() + 1;
  std::vector<uint8_t> header(4 + 4 * axes);
  const int64_t header_bytes = static_cast<int64_t>(header.size());
  const int64_t got = file.read(header.data(), header_bytes);
  if (got < header_bytes) {
    file.fail(concat("truncated: the IDX header needs ", header_bytes, " bytes, found ", got));
  }
  if (header[0] != 0 || header[1] != 0 || header[2] != kUnsignedByte || header[3] != axes) {
    file.fail(concat("not the IDX file it should be: the magic number is ", int{header[0]}, " ", int{header[1]}, " ",
                     int{header[2]}, " ", int{header[3]}, ", expected 0 0 8 ", axes));
  }
  IdxFile out;
  out.count = big_endian(header.data() + 4);
  if (out.count < 1 || out.count > kMaxRecords) {
    file.fail(concat("the header says ", out.count, " records, expected 1 to ", kMaxRecords));
  }
  int64_t bytes = out.count;
  for (size_t i = 0; i < item_sizes.size(); ++i) {
    const int64_t found = big_endian(header.data() + 8 + 4 * i);
    if (found != item_sizes[i]) {
      file.fail(concat("the size of axis ", i + 1, " is ", found, ", expected ", item_sizes[i]));
    }
    bytes *= item_sizes[i];
  }
  if (header_bytes + bytes > file.max_bytes()) {
    file.fail(concat("truncated: the header promises ", header_bytes + bytes, " bytes, the file can hold at most ",
                     file.max_bytes(), "; download it again"));
  }
  out.values.resize(static_cast<size_t>(bytes));
  if (const int64_t read = file.read(out.values.data(), bytes); read < bytes) {
    file.fail(
        concat("truncated: the header promises ", bytes, " bytes of values, found ", read, "; download it again"));
  }
  uint8_t extra = 0;  // reading on also makes zlib compare its checksum
  if (file.read(&extra, 1) != 0) {
    file.fail(concat("more than the ", bytes, " bytes of values that its header promises; download it again"));
  }
  return out;
}

}  // namespace ntq
