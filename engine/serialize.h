#pragma once
// Tensors on disk: safetensors files (8-byte little-endian header length, JSON header, raw values), which Python's
// safetensors package reads and writes too.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/module.h"

namespace ntq {

/// A tensor as the header names it; its type may be one that the library has no arithmetic for ("BOOL", "F8_E4M3").
struct TensorInfo {
  std::string name, dtype;
  std::vector<int64_t> sizes;
  /// Whether load_tensors() makes a Tensor of it: a type of DType and at most Shape::kMaxRank axes.
  bool readable() const;
  /// "{64,3,7,7}".
  std::string shape() const;
};

/// What stands before the values, in the order of the file's text.
struct TensorHeader {
  std::map<std::string, std::string> metadata;
  std::vector<TensorInfo> entries;
};

/// Tensors stand in the order of the header: that in which they were given to save_tensors.
struct TensorFile {
  std::map<std::string, std::string> metadata;
  NamedTensors tensors;
  std::vector<TensorInfo> skipped = {};  ///< not readable(): in the file, but not among the tensors; never saved
  /// The tensor of that name; throws CheckpointError naming what is there, or the type that cannot be read.
  const Tensor& at(const std::string& name) const;
};

/// Writes to a temporary file beside `path`, flushes it to the disk and renames it: a crash leaves the old file or the
/// new one. The same content gives the same bytes. Adds metadata "ntq.crc32" (a JSON object: tensor name -> CRC-32 of
/// its bytes, 8 hex digits; "__metadata__" -> that of the other metadata, the names, types and shapes).
/// Throws CheckpointError when the folder is missing, read-only or full; the old file stays. Throws
/// std::invalid_argument for an undefined tensor, a name given twice or text that is not UTF-8.
void save_tensors(const std::string& path, const TensorFile& file);

/// Reads CPU tensors and checks everything before it allocates: header length against the file size and 100 MB, JSON,
/// names, dtypes, shapes, offsets (no holes, no overlap, in bounds); then, where present, the checksums, which do not
/// appear in the result's metadata. Throws CheckpointError in one line.
TensorFile load_tensors(const std::string& path);

/// The header alone, checked as load_tensors() does but for the checksums: its memory is that of the header's text, so
/// names and shapes can be compared before anything is built for them.
TensorHeader load_header(const std::string& path);

/// The same from memory; `name` stands for the path in errors. For tests and fuzzing.
TensorFile parse_tensors(std::string_view bytes, const std::string& name);
TensorHeader parse_header(std::string_view bytes, const std::string& name);

/// The text of a regular file: a pipe or a device is refused, not waited for. Throws CheckpointError in one line, for
/// more than `max_bytes` too.
std::string read_text_file(const std::string& path, uint64_t max_bytes = 64 << 20);

/// Throws what writing `path` would throw before its first byte (no such folder, no permission, no regular file), so
/// that work can begin knowing where its result goes. Leaves nothing behind.
void check_writable(const std::string& path);

/// Writes `text` to `path` by the same temporary-flush-rename steps. Throws CheckpointError.
void write_file_atomically(const std::string& path, std::string_view text);

/// Removes what killed writers have left in `folder`: temporary files of processes of this host that are gone. Every
/// writer does so for its own target. Those of living processes and of other hosts stay; errors are nobody's concern.
void remove_stale_temporaries(const std::string& folder);

}  // namespace ntq
