#pragma once
// The deploy graph: what a trained network computes in evaluation, as plain structs. It is written to a `.ntqi` file
// (ntqi.h), run (model.h), exported. Every value is float32 {H,W,C} for one image; codes are a layer's own matter.
//
// What a node computes is exact to the bit, on any machine, with any number of threads and images at a time. fl() is
// one IEEE operation in float32:
//   codes    q = clamp(round_even(fl(fl(x - offset) / step)), low, high); without an offset fl(x / step); with
//            thresholds low + how many of them are <= x; not a number gives low
//   sum      conv, linear: S = sum of (code, or x) * (count, level or value of a weight) over the taps inside of the
//            image. Of codes and counts alone: int32, exact. Else float32, from 0, in the order of {Kh,Kw,Cin}, each
//            time S = fl(S + a * w): here alone the product is not rounded (IEEE 754's fusedMultiplyAdd)
//   output   y = fl(fl(S * scale[c]) + bias[c]), of a sum of codes S = float(S). Inputs with an offset add to the bias
//            what it does at the taps inside: fl(bias[c] + W * offset_scale[c]) in float64, W the sum of the weights'
//            counts (levels, values: in float64, in that order) over the taps inside, in place of bias[c]
//   quantize y = fl(code * step), or the code's level where there are levels
//   then     y = fl(y + second input), where there is one; y = y > 0 ? y : 0 where relu
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ntq::infer {

/// Of one value: height, width, channels.
struct MapShape {
  int64_t height = 1, width = 1, channels = 1;
  int64_t size() const { return height * width * channels; }
  bool operator==(const MapShape&) const = default;
};

/// How the input of a layer, or of quantize, becomes codes. Padding is the value 0: its code where there is no offset,
/// else left out.
struct InputCodes {
  int bits = 32;                       ///< 2 to 8; 32: the layer reads floats, and all below means nothing
  int low = 0, high = 0;               ///< low <= 0 < high, high - low < 2^bits
  float step = 0, offset = 0;          ///< value = step * code + offset
  std::vector<float> thresholds = {};  ///< {high - low}, ascending: in place of step and offset in making the codes
  std::vector<float> levels = {};  ///< {high - low + 1}: the codes' values, instead of the codes; then a float layer
  bool present() const { return bits != 32; }
  bool is_signed() const { return low < 0; }
};

/// {Cout,Kh,Kw,Cin}; of linear {Cout,1,1,H*W*C of its input}.
struct Weights {
  int64_t out = 0, kernel_h = 1, kernel_w = 1, in = 0;
  int bits = 32;                   ///< 2 to 8, or 32: float values
  std::vector<int8_t> codes = {};  ///< of 2 to 8 bits, in [-2^(bits-1), 2^(bits-1) - 1]
  int halves = 0;  ///< of a step, that code 0 stands for; to +-2^bits. 1: values at k + 1/2 steps; 2 n: at k + n
  std::vector<float> levels =
      {};  ///< {2^bits} or {Cout, 2^bits}: code c means levels[c + 2^(bits-1)]; then a float layer
  std::vector<float> values = {};  ///< of 32 bits
  int64_t size() const { return out * kernel_h * kernel_w * in; }
  int64_t taps() const { return kernel_h * kernel_w * in; }
  /// What code c counts in a sum.
  int count(int c) const { return halves == 0 ? c : 2 * c + halves; }
};

enum class Op {
  conv,           ///< weights, codes, stride, pad; scale, bias
  linear,         ///< the same of a flattened value
  affine,         ///< y = fl(fl(x * scale[c]) + bias[c]): a batch norm before a quantizer
  quantize,       ///< codes, and levels where they have an offset or thresholds: values for others than layers, as sums
  add,            ///< y = fl(a + b)
  relu,           ///< y = x > 0 ? x : 0
  max_pool,       ///< kernel, stride, pad; padding never wins
  subsample_pad,  ///< every stride-th pixel, `extra` zero channels before and behind
  global_average,  ///< float32 sum in pixel order, from 0, times fl(1 / (H * W)); {1,1,C}
};

struct Node {
  Op op = Op::conv;
  std::string name = {};                    ///< of the layer in the network; unique
  std::vector<int> inputs = {};             ///< earlier nodes, or kImage. conv, linear, quantize: a second one is added
  bool relu = false;                        ///< of conv, linear, quantize, affine, add: behind all else
  int64_t kernel = 1, stride = 1, pad = 0;  ///< kernel: of max_pool; a conv's is that of its weights
  int64_t extra = 0;                        ///< of subsample_pad
  Weights weights = {};
  InputCodes codes = {};
  std::vector<float> scale = {}, bias = {};  ///< {C}
  std::vector<float> offset_scale = {};      ///< {C}, where codes.offset != 0
  bool has_weights() const { return op == Op::conv || op == Op::linear; }
  /// Whether it may make codes of its input, and add a second one.
  bool may_quantize() const { return has_weights() || op == Op::quantize; }
  /// Whether its sums are of integers.
  bool is_integer() const {
    return has_weights() && codes.present() && codes.levels.empty() && weights.bits != 32 && weights.levels.empty();
  }
};

/// In place of a node: the image as the network sees it, normalised float32.
inline constexpr int kImage = -1;

/// From bytes to what the network sees, as ntq-train and ntq-eval have it.
struct Preprocessing {
  std::array<float, 3> mean{}, deviation{1, 1, 1};  ///< of the channels, in [0, 1]
  std::string crop = "whole";  ///< "paper" or "field": photographs (data/crop.h), (v * fl(1 / fl(255 * deviation))) +
                               ///< fl(-mean / deviation); "whole": ((v / 255) - mean) / deviation; v: the byte
  bool fast_decode = false;    ///< photographs decoded at a fraction of their size
};

struct Graph {
  MapShape image;
  Preprocessing preprocessing;
  std::vector<Node> nodes;                   ///< the last one gives the logits {1,1,classes}
  std::vector<std::string> classes;          ///< names in the order of the logits; none where unknown
  std::map<std::string, std::string> notes;  ///< what else is worth knowing: "model", "top1", "images", ...
};

/// The shape of each node's output. Throws CheckpointError in one line, "<name>: node "fc": ...", for anything that is
/// not as said above or cannot be run: shapes, ranges, steps that are no positive number, numbers beyond
/// kLargestNumber, sums beyond int32, inputs that are not earlier nodes, and what would take memory or time without
/// end:
std::vector<MapShape> check_graph(const Graph& graph, const std::string& name);
/// The most values (floats) that one image may have together, in all nodes and again in the inputs of all layers: 2^30.
inline constexpr int64_t kMostValues = int64_t{1} << 30;
inline constexpr int64_t kMostNodes = 10'000;
/// Layers that may read one value by codes; each may have its own.
inline constexpr int64_t kMostReaders = 256;
/// Of steps, scales, levels, weights and all else that is a float: what is computed of one or two of them is finite.
inline constexpr float kLargestNumber = 1e30f;
/// What making a graph's layers ready may take, in bytes written and sums added: weights in whole panels of channels
/// and the tables that padding needs. A trained network takes 1 to 5 for each weight.
inline constexpr double kMostPreparation = 1 << 28, kPreparationOfWeight = 16;

/// "conv", "global_average": as files name it.
const char* op_name(Op op);

}  // namespace ntq::infer
