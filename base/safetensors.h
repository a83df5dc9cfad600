#pragma once
// Safetensors files (8-byte little-endian header length, JSON header, raw values), which Python's safetensors package
// reads and writes too: names, types, shapes and bytes. engine/serialize.h makes tensors of them.
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ntq {
class InputFile;
}

namespace ntq::safetensors {

/// One tensor; its type is one of kStoredTypes (base/stored_type.h).
struct Entry {
  std::string name, dtype;
  std::vector<int64_t> sizes;
  uint64_t begin = 0, end = 0;  ///< its values, in bytes behind the header
  uint64_t bytes() const { return end - begin; }
  /// "{64,3,7,7}".
  std::string shape() const;
};

/// What stands before the values, in the order of the file's text.
struct Header {
  std::map<std::string, std::string> metadata;
  std::vector<Entry> entries;
};

/// A file read once, from front to back.
class Reader {
 public:
  /// Reads the header and checks all of it before it allocates: length against the file size and 100 MB, JSON, names,
  /// types, shapes, offsets (no holes, no overlap, in bounds). Throws CheckpointError in one line.
  explicit Reader(const std::string& path);
  /// The same from memory, which has to outlive the reader; `name` stands for the path in errors.
  Reader(std::string_view bytes, std::string name);
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// Without the checksums.
  const Header& header() const { return header_; }
  bool has_checksums() const { return checksums_.has_value(); }
  /// Reads the values, in the order of the file: `place` says where the bytes of header().entries[i] go, null to pass
  /// over them; then holds all of them and the header against the checksums, where the file has some. Once at most.
  /// Throws CheckpointError.
  void read_values(const std::function<void*(size_t i)>& place);

 private:
  void open();
  std::string header_text();
  void read(void* to, size_t bytes);
  void skip(uint64_t bytes);
  std::string pass_over(uint64_t bytes);

  std::string name_;
  std::unique_ptr<InputFile> file_;  // or
  std::string_view bytes_;           // what is left of the memory
  uint64_t size_ = 0;
  Header header_;
  std::optional<std::string> checksums_;  // the table in the file
};

/// Writes `header`, whose offsets are made here (wide elements first), and for each entry the bytes at `values`(i),
/// which is asked twice. The same content gives the same bytes. To a temporary file beside `path` that is flushed and
/// renamed: a crash leaves the old file or the new one. Adds metadata "ntq.crc32" (a JSON object: tensor name -> CRC-32
/// of its bytes, 8 hex digits; "__metadata__" -> that of the other metadata, the names, types and shapes).
/// Throws CheckpointError when the folder is missing, read-only or full; the old file stays. Throws
/// std::invalid_argument for a name given twice, an unknown type, or text that is not UTF-8.
void write(const std::string& path, Header header, const std::function<const void*(size_t i)>& values);

}  // namespace ntq::safetensors
