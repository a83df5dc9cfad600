#pragma once
// Tensors on disk: safetensors files (8-byte little-endian header length, JSON header, raw values), which Python's
// safetensors package reads and writes too.
#include <map>
#include <string>
#include <string_view>

#include "engine/module.h"

namespace ntq {

/// Tensors stand in the order of the header: that in which they were given to save_tensors.
struct TensorFile {
  std::map<std::string, std::string> metadata;
  NamedTensors tensors;
  /// The tensor of that name; throws CheckpointError naming what is there.
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

/// The same from memory; `name` stands for the path in errors. For tests and fuzzing.
TensorFile parse_tensors(std::string_view bytes, const std::string& name);

/// Writes `text` to `path` by the same temporary-flush-rename steps. Throws CheckpointError.
void write_file_atomically(const std::string& path, std::string_view text);

}  // namespace ntq
