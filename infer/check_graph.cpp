#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_set>

#include "base/ceil_div.h"
#include "base/check.h"
#include "base/printable.h"
#include "infer/codes.h"
#include "infer/plan.h"

namespace ntq::infer {
namespace {

constexpr int64_t kMostSide = 4096, kMostChannels = 1 << 20, kMostKernel = 64;
constexpr const char* kBeyond = " or beyond 1e30";
constexpr float kLeastDeviation = 1e-30f;

bool sane(float value) { return std::abs(value) <= kLargestNumber; }  // so that no NaN is
bool all_sane(const std::vector<float>& values) { return all_within(values, kLargestNumber); }

std::string text(const MapShape& s) { return concat("{", s.height, ",", s.width, ",", s.channels, "}"); }

/// One node against those before it.
class NodeCheck {
 public:
  NodeCheck(const Graph& graph, size_t index, const std::vector<MapShape>& before, const std::string& name)
      : graph_(graph), node_(graph.nodes[index]), index_(index), before_(before), name_(name) {}

  MapShape output() {
    check_inputs();
    const MapShape x = input(0);
    switch (node_.op) {
      case Op::conv: return weighted(x, window(x, node_.weights.kernel_h, node_.weights.kernel_w, node_.weights.out));
      case Op::linear: return weighted({1, 1, x.size()}, {1, 1, node_.weights.out});
      case Op::affine:
        vector("scale", node_.scale, x.channels);
        vector("bias", node_.bias, x.channels);
        return x;
      case Op::quantize: return quantized(x);
      case Op::add: require(input(1) == x, "adds ", text(x), " and ", text(input(1))); return x;
      case Op::relu: return x;
      case Op::max_pool: return window(x, node_.kernel, node_.kernel, x.channels);
      case Op::subsample_pad:
        require(in(node_.stride, 1, kMostSide), "stride ", node_.stride, ", expected 1 to ", kMostSide);
        require(in(node_.extra, 0, kMostChannels), "extra ", node_.extra, ", expected 0 to ", kMostChannels);
        return {(x.height - 1) / node_.stride + 1, (x.width - 1) / node_.stride + 1, x.channels + 2 * node_.extra};
      case Op::global_average: return {1, 1, x.channels};
    }
    fail("unknown kind");
  }

 private:
  template <class... Args>
  [[noreturn]] void fail(const Args&... message) const {
    throw CheckpointError(concat(printable(name_), ": node ", in_quotes(node_.name), ": ", message...));
  }
  template <class... Args>
  void require(bool condition, const Args&... message) const {
    if (!condition) fail(message...);
  }
  static bool in(int64_t value, int64_t low, int64_t high) { return value >= low && value <= high; }

  const MapShape& input(size_t i) const {
    const int from = node_.inputs[i];
    return from == kImage ? graph_.image : before_[static_cast<size_t>(from)];
  }

  void check_inputs() const {
    const size_t least = node_.op == Op::add ? 2 : 1, most = node_.may_quantize() ? 2 : least;
    require(node_.inputs.size() >= least && node_.inputs.size() <= most, "has ", node_.inputs.size(),
            " inputs, expected ", most);
    for (const int from : node_.inputs) {
      require(from >= kImage && from < static_cast<int>(index_), "reads node ", from, ", which is not before it");
    }
    const bool pools = node_.op == Op::max_pool, slides = pools || node_.op == Op::conv,
               pads = node_.op == Op::subsample_pad;
    require((pools || node_.kernel == 1) && (slides || node_.pad == 0) && (slides || pads || node_.stride == 1) &&
                (pads || node_.extra == 0),
            op_name(node_.op), " with a kernel, stride, padding or extra channels, which it has no use for");
    const bool may = node_.may_quantize() || node_.op == Op::affine || node_.op == Op::add;
    require(may || !node_.relu, op_name(node_.op), " cannot have a relu of its own");
  }

  MapShape window(const MapShape& x, int64_t kernel_h, int64_t kernel_w, int64_t channels) const {
    require(in(kernel_h, 1, kMostKernel) && in(kernel_w, 1, kMostKernel), "kernel ", kernel_h, "x", kernel_w,
            ", expected 1 to ", kMostKernel);
    require(in(node_.stride, 1, kMostSide), "stride ", node_.stride, ", expected 1 to ", kMostSide);
    require(in(node_.pad, 0, std::min(kernel_h, kernel_w) - 1), "padding ", node_.pad,
            ", expected less than the kernel's size");
    const int64_t room_h = x.height + 2 * node_.pad - kernel_h, room_w = x.width + 2 * node_.pad - kernel_w;
    require(room_h >= 0 && room_w >= 0, "the kernel is larger than its input ", text(x));
    return {room_h / node_.stride + 1, room_w / node_.stride + 1, channels};
  }

  void vector(const char* what, const std::vector<float>& values, int64_t size) const {
    require(static_cast<int64_t>(values.size()) == size, what, " has ", values.size(), " values, expected ", size);
    require(all_sane(values), what, " holds a value that is not finite", kBeyond);
  }

  MapShape weighted(const MapShape& x, const MapShape& out) const {
    check_weights(x);
    if (node_.codes.present()) check_codes();
    vector("scale", node_.scale, out.channels);
    vector("bias", node_.bias, out.channels);
    const bool offset = node_.codes.present() && node_.codes.levels.empty() && node_.codes.offset != 0;
    vector("offset_scale", node_.offset_scale, offset ? out.channels : 0);
    if (node_.is_integer()) check_sum(input(0));
    check_added(out);
    return out;
  }

  MapShape quantized(const MapShape& x) const {
    const InputCodes& c = node_.codes;
    require(c.present(), "quantizes without codes");
    check_codes();
    require(!c.levels.empty() || (c.thresholds.empty() && c.offset == 0),
            "codes with thresholds or an offset have levels in a node of their own");
    check_added(x);
    return x;
  }

  void check_added(const MapShape& out) const {
    require(node_.inputs.size() == 1 || input(1) == out, "gives ", text(out), " and adds ",
            text(input(node_.inputs.size() - 1)));
  }

  void check_weights(const MapShape& x) const {
    const Weights& w = node_.weights;
    require(in(w.out, 1, kMostChannels), "has ", w.out, " outputs, expected 1 to ", kMostChannels);
    require(node_.op == Op::conv || (w.kernel_h == 1 && w.kernel_w == 1), "weights are no matrix");
    require(w.in == x.channels, "weights read ", w.in, " channels, its input has ", x.channels);
    require(w.bits == 32 || in(w.bits, 2, 8), "weights of ", w.bits, " bits, expected 2 to 8, or 32");
    const size_t held = w.bits == 32 ? w.values.size() : w.codes.size();
    require(static_cast<int64_t>(held) == w.size(), held, " weights, expected ", w.size());
    if (w.bits == 32) {
      require(all_sane(w.values), "a weight is not finite", kBeyond);
      require(w.levels.empty() && w.halves == 0, "float weights with levels or halves of a step");
      return;
    }
    const int half = 1 << (w.bits - 1);
    require(fit_bits(w.codes, w.bits), "a weight's code lies outside of ", -half, " to ", half - 1);
    const auto levels = static_cast<int64_t>(w.levels.size()), table = int64_t{1} << w.bits;
    require(levels == 0 || levels == table || levels == table * w.out, levels, " levels, expected ", table, " or ",
            table * w.out);
    require(all_sane(w.levels), "a weight's level is not finite", kBeyond);
    require(in(w.halves, -table, table) && (levels == 0 || w.halves == 0), "code 0 of the weights stands for ",
            w.halves, " halves of a step, expected -", table, " to ", table, ", and 0 with levels");
  }

  void check_codes() const {
    const InputCodes& c = node_.codes;
    require(in(c.bits, 2, 8), "inputs of ", c.bits, " bits, expected 2 to 8, or 32");
    require(in(c.low, -255, 0) && in(c.high, 1, 255) && c.high - c.low < (1 << c.bits), "codes from ", c.low, " to ",
            c.high, ", expected at most ", 1 << c.bits, " from 0 or less to 1 or more");
    const auto steps = static_cast<size_t>(c.high - c.low);
    require(c.thresholds.empty() || c.thresholds.size() == steps, c.thresholds.size(), " thresholds, expected ", steps);
    require(c.levels.empty() || c.levels.size() == steps + 1, c.levels.size(), " input levels, expected ", steps + 1);
    require(all_sane(c.thresholds) && std::is_sorted(c.thresholds.begin(), c.thresholds.end()),
            "thresholds are not ascending numbers", kBeyond);
    require(all_sane(c.levels), "an input level is not finite", kBeyond);
    const bool scaled = c.thresholds.empty();
    require(!scaled || (sane(c.step) && c.step > 0), "step ", c.step, ", expected a number above 0, at most ",
            kLargestNumber);
    require(sane(c.offset), "offset ", c.offset, ", expected a number of at most ", kLargestNumber);
  }

  /// As base/integer has them: bytes from 0 on, and channels that fill up a quad.
  void check_sum(const MapShape& x) const {
    const Weights& w = node_.weights;
    const int64_t products = w.taps() / x.channels * round_up(x.channels, 4);
    const int64_t largest = int64_t{1} << (w.bits - 1);
    const int64_t bound =
        products * (node_.codes.high - node_.codes.low) * (w.halves == 0 ? largest : 2 * largest + std::abs(w.halves));
    require(bound <= std::numeric_limits<int32_t>::max(), "a sum of ", w.taps(), " products of ", node_.codes.bits,
            " by ", w.bits, " bits may reach ", bound, ", more than 32 bits hold");
  }

  const Graph& graph_;
  const Node& node_;
  size_t index_;
  const std::vector<MapShape>& before_;
  const std::string& name_;
};

template <class... Args>
void require_of_graph(bool condition, const std::string& name, const Args&... message) {
  if (!condition) throw CheckpointError(concat(printable(name), ": ", message...));
}

void check_image(const Graph& graph, const std::string& name) {
  const MapShape& s = graph.image;
  const bool sizes = s.height >= 1 && s.width >= 1 && s.height <= kMostSide && s.width <= kMostSide;
  require_of_graph(sizes && s.channels >= 1 && s.channels <= 3, name, "images of ", text(s), ", expected sides to ",
                   kMostSide, " and 1 to 3 channels");
  const Preprocessing& p = graph.preprocessing;
  require_of_graph(p.crop == "whole" || p.crop == "paper" || p.crop == "field", name, "unknown crop ",
                   in_quotes(p.crop), ", expected whole, paper or field");
  for (size_t c = 0; c < static_cast<size_t>(s.channels); ++c) {
    require_of_graph(p.mean[c] >= 0 && p.mean[c] <= 1 && p.deviation[c] >= kLeastDeviation && p.deviation[c] <= 1, name,
                     "mean ", p.mean[c], " and deviation ", p.deviation[c], ", expected [0, 1] and (0, 1]");
  }
}

}  // namespace

const char* op_name(Op op) {
  switch (op) {
    case Op::conv: return "conv";
    case Op::linear: return "linear";
    case Op::affine: return "affine";
    case Op::quantize: return "quantize";
    case Op::add: return "add";
    case Op::relu: return "relu";
    case Op::max_pool: return "max_pool";
    case Op::subsample_pad: return "subsample_pad";
    case Op::global_average: return "global_average";
  }
  return "?";
}

std::vector<MapShape> check_graph(const Graph& graph, const std::string& name) {
  check_image(graph, name);
  const auto count = static_cast<int64_t>(graph.nodes.size());
  require_of_graph(count >= 1 && count <= kMostNodes, name, "a graph of ", count, " nodes, expected 1 to ", kMostNodes);
  std::vector<MapShape> shapes;
  std::unordered_set<std::string> names;
  std::vector<int> readers(graph.nodes.size() + 1);  // by codes, of the image and each node
  int64_t values = graph.image.size(), weights = 0;
  double work = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    require_of_graph(!node.name.empty() && names.insert(node.name).second, name, "node ", i, ": name ",
                     in_quotes(node.name), " is empty or given twice");
    shapes.push_back(NodeCheck(graph, i, shapes, name).output());
    const MapShape &out = shapes.back(),
                   &in = node.inputs[0] == kImage ? graph.image : shapes[static_cast<size_t>(node.inputs[0])];
    const auto require = [&](bool condition, const auto&... message) {
      require_of_graph(condition, name, "node ", in_quotes(node.name), ": ", message...);
    };
    const int64_t read = node.may_quantize() ? in.size() : 0;  // it may be kept in a form of its own
    require(out.channels <= kMostChannels && out.size() <= kMostValues - values - read, text(out), " makes more than ",
            kMostValues, " values for an image");
    values += out.size() + read;
    if (node.may_quantize() && node.codes.present()) {
      const int64_t all = ++readers[static_cast<size_t>(node.inputs[0] + 1)];
      require(all <= kMostReaders, "its input has more than ", kMostReaders, " layers that read it by codes");
    }
    if (!node.has_weights()) continue;
    weights += node.weights.size();
    work += preparation(node, in, out);
    require(work <= kMostPreparation + kPreparationOfWeight * static_cast<double>(weights), "up to here ", weights,
            " weights would take ", work, " operations to load; no trained network does");
  }
  const MapShape& out = shapes.back();
  require_of_graph(out.height == 1 && out.width == 1, name, "the last node gives ", text(out), ", expected logits");
  const auto classes = static_cast<int64_t>(graph.classes.size());
  require_of_graph(classes == 0 || classes == out.channels, name, classes, " class names for ", out.channels,
                   " logits");
  return shapes;
}

}  // namespace ntq::infer
