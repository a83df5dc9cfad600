#pragma once
// Tensors on disk, as safetensors files (base/safetensors.h).
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/safetensors.h"
#include "engine/module.h"

namespace ntq {

/// Tensors stand in the order of the header: that in which they were given to save_tensors.
struct TensorFile {
  std::map<std::string, std::string> metadata;
  NamedTensors tensors;
  std::vector<safetensors::Entry> skipped = {};  ///< not readable(): in the file, not among the tensors; never saved
  /// The tensor of that name; throws CheckpointError naming what is there, or the type that cannot be read.
  const Tensor& at(const std::string& name) const;
};

/// Whether load_tensors() makes a Tensor of it: a type of DType and at most Shape::kMaxRank axes.
bool readable(const safetensors::Entry& entry);

/// Writes tensors of any device, as safetensors::write() does. Throws std::invalid_argument for an undefined one too.
void save_tensors(const std::string& path, const TensorFile& file);

/// Reads CPU tensors, checked as safetensors::Reader does. Throws CheckpointError in one line.
TensorFile load_tensors(const std::string& path);

/// The header alone, checked as load_tensors() does but for the checksums: its memory is that of the header's text, so
/// names and shapes can be compared before anything is built for them.
safetensors::Header load_header(const std::string& path);

/// The same from memory; `name` stands for the path in errors. For tests and fuzzing.
TensorFile parse_tensors(std::string_view bytes, const std::string& name);

}  // namespace ntq
