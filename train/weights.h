#pragma once
// Weights under public names: reading files of timm, torchvision and others into a model, and writing them back.
#include <map>
#include <string>
#include <vector>

#include "train/checkpoint.h"

namespace ntq {

/// Tensors by our names, filters {Cout,Kh,Kw,Cin}, float32.
struct Weights {
  std::map<std::string, Tensor> tensors;
  /// Of a type or shape that no weight has, by our names too: an error if the model needs one, else left over.
  std::map<std::string, safetensors::Entry> skipped;
};

/// Of a file that is not ours: filters {Cout,Cin,Kh,Kw} are turned, half, bfloat16 and float64 become float32, and
/// names are taken as torchvision and timm have them, with the habits of other code undone: shared_prefix() in front,
/// "linear" for the classifier "fc", "shortcut" for "downsample". Counters ("num_batches_tracked") are left out.
/// Throws CheckpointError, naming both, when two tensors come to one name, prefixes in front or not.
Weights read_public_weights(const TensorFile& file, const std::string& path);

/// Of a checkpoint of ours: the model's tensors as they are, or their average.
Weights weights_of(const Checkpoint& checkpoint, const std::string& path, bool average);
/// Of any file: of a checkpoint of ours, the average where there is one; else as read_public_weights().
Weights read_weights(const TensorFile& file, const std::string& path);

/// What others get of the layers with a weight quantizer: w, Q(w) in float32, or the codes of Q(w) as int8 (uint8
/// where the grid has an offset); with the latter two the steps and offsets of both quantizers under their names, and
/// biases as the network computes with them.
enum class Export { weights, quantized, codes };

/// The tensors of a model in evaluation mode, for others: filters as {Cout,Cin,Kh,Kw}, no other quantizer entries.
NamedTensors public_weights(Module& model, Export what);

struct LoadReport {
  int64_t matched = 0;
  std::vector<std::string> fresh;      ///< quantizer entries that calibration or the first batch will set
  std::vector<std::string> missing;    ///< other tensors that the file lacks: they keep their random start
  std::vector<std::string> left_over;  ///< tensors of the file that the model has no place for
  std::vector<std::string> notices;
  bool keeps_head = false;  ///< the classifier is the file's
};

struct LoadOptions {
  std::string path = {}, model = "the model";  ///< for errors
  bool keep_steps = false;                     ///< take quantizer entries too
  bool new_head = true;   ///< let the classifier start anew when the class counts differ; else an error
  bool keep_head = true;  ///< false: it starts anew in any case
};

/// Copies what fits into the model. Throws CheckpointError when nothing matches or a tensor has another shape; the
/// model is unchanged then.
LoadReport load_weights(Module& model, Weights weights, const LoadOptions& options);
/// The same with read_weights() of the file at `path`.
LoadReport import_weights(Module& model, const std::string& path, LoadOptions options = {});

}  // namespace ntq
