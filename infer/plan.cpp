#include "infer/plan.h"

#include <algorithm>

#include "base/check.h"
#include "base/integer/kernels/kernels.h"
#include "infer/codes.h"
#include "infer/kernels/kernels.h"

namespace ntq::infer {
namespace {

integer::CodeGrid grid_of(const InputCodes& c) {
  return {.step = c.step, .low = c.low, .high = c.high, .zero = -c.low};
}

std::vector<float> filled_to(std::vector<float> values, int64_t size) {
  values.resize(static_cast<size_t>(size));
  return values;
}

/// Normalised values of all bytes, {C,256}, as data/transforms.h has them for this crop.
std::vector<float> byte_tables(const Preprocessing& p, int64_t channels) {
  std::vector<float> out;
  for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
    const float scale = 1 / (255 * p.deviation[c]), shift = -p.mean[c] / p.deviation[c];
    for (int byte = 0; byte < 256; ++byte) {
      const auto v = static_cast<float>(byte);
      out.push_back(p.crop == "whole" ? (v / 255.0f - p.mean[c]) / p.deviation[c] : v * scale + shift);
    }
  }
  return out;
}

class Planner {
 public:
  explicit Planner(Plan& plan) : plan_(plan), graph_(plan.graph), values_(graph_.nodes.size() + 1) {}

  void plan() {
    find_wishes();
    plan_image();
    for (size_t n = 0; n < graph_.nodes.size(); ++n) plan_node(static_cast<int>(n));
    plan_.logits = value(static_cast<int>(graph_.nodes.size()) - 1).floats;
    plan_.buffers[static_cast<size_t>(plan_.logits)].last = time();
    place_buffers(plan_);
  }

 private:
  static constexpr int kNoReader = -1;
  struct WantedCodes {
    const InputCodes* codes;
    int buffer = kNoBuffer;
  };
  /// The image or what a node gives: who reads it decides in which forms it is kept.
  struct Value {
    int last_reader = kNoReader;  ///< the last node that reads the floats
    int floats = kNoBuffer;
    std::vector<WantedCodes> codes = {};
    bool wants_floats() const { return last_reader != kNoReader; }
    WantedCodes& find(const InputCodes& wanted) {
      return *std::find_if(codes.begin(), codes.end(),
                           [&](const WantedCodes& c) { return same_bytes(*c.codes, wanted); });
    }
  };

  Value& value(int node) { return values_[static_cast<size_t>(node + 1)]; }
  const MapShape& shape(int node) const {
    return node == kImage ? graph_.image : plan_.shapes[static_cast<size_t>(node)];
  }
  /// Steps of the image are at time 0, the others follow.
  int time() const { return static_cast<int>(plan_.steps.size()); }

  void find_wishes() {
    const int nodes = static_cast<int>(graph_.nodes.size());
    for (int n = 0; n < nodes; ++n) {
      const Node& node = graph_.nodes[static_cast<size_t>(n)];
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        Value& v = value(node.inputs[i]);
        const bool codes = i == 0 && node.has_weights() && node.codes.present();
        if (!codes) v.last_reader = n;
        const auto known = [&](const WantedCodes& c) { return same_bytes(*c.codes, node.codes); };
        if (codes && std::none_of(v.codes.begin(), v.codes.end(), known)) v.codes.push_back({&node.codes});
      }
    }
    value(nodes - 1).last_reader = nodes;
  }

  int new_buffer(const MapShape& s, int64_t bytes) {
    plan_.buffers.push_back({s.height * s.width * stored_channels(s.channels) * bytes, time() + 1, time() + 1});
    return static_cast<int>(plan_.buffers.size()) - 1;
  }
  int new_floats(const MapShape& s) { return new_buffer(s, 4); }
  int new_codes(const MapShape& s) { return new_buffer(s, 1); }
  /// One int32 for each pixel.
  int new_sums(const MapShape& s) { return new_buffer({s.height, s.width, 1}, sizeof(int32_t) / integer::kQuad); }

  void add(Step step) {
    plan_.steps.push_back(std::move(step));
    const Step& s = plan_.steps.back();
    for (const int buffer : {s.x, s.skip, s.windows}) {
      if (buffer != kNoBuffer) plan_.buffers[static_cast<size_t>(buffer)].last = time();
    }
  }

  static Pointwise pointwise(const MapShape& s) {
    return {.pixels = s.height * s.width, .channels = stored_channels(s.channels)};
  }

  Step codes_step(const MapShape& s, const WantedCodes& wanted, int floats) {
    Step step{.work = pointwise(s), .x = floats, .codes = wanted.buffer, .grid = grid_of(*wanted.codes)};
    if (!is_plain(*wanted.codes)) {
      step.work = MakeCodes{*wanted.codes, s.height * s.width * stored_channels(s.channels)};
    }
    return step;
  }

  void plan_image() {
    Value& image = value(kImage);
    const MapShape& s = graph_.image;
    plan_.byte_tables = byte_tables(graph_.preprocessing, s.channels);
    image.floats = new_floats(s);
    plan_.from_floats.push_back({.work = TakeFloats{s}, .y = image.floats});
    if (image.wants_floats())
      plan_.from_bytes.push_back({.work = NormaliseImage{s, plan_.byte_tables}, .y = image.floats});
    for (WantedCodes& wanted : image.codes) {
      wanted.buffer = new_codes(s);
      plan_.from_floats.push_back(codes_step(s, wanted, image.floats));
      std::vector<uint8_t> tables(plan_.byte_tables.size());
      bytes_of(*wanted.codes, plan_.byte_tables.data(), static_cast<int64_t>(tables.size()), tables.data());
      plan_.from_bytes.push_back({.work = LookUpCodes{s, std::move(tables)}, .codes = wanted.buffer});
    }
    for (Buffer& b : plan_.buffers) b.first = b.last = 0;
  }

  /// Adds `step`, which gives the node's value, in all forms that are wanted. With an epilogue it makes codes itself.
  void give(int node, Step step, bool epilogue) {
    Value& v = value(node);
    const std::vector<int>& inputs = graph_.nodes[static_cast<size_t>(node)].inputs;
    const bool last_use = inputs.size() > 1 && value(inputs[1]).last_reader == node;
    const MapShape& s = shape(node);
    const auto fused = std::find_if(v.codes.begin(), v.codes.end(),
                                    [&](const WantedCodes& c) { return epilogue && is_plain(*c.codes); });
    const bool others = v.codes.size() > (fused == v.codes.end() ? 0u : 1u);
    if (v.wants_floats() || others || v.codes.empty()) {
      // The step may have its sums in the buffer already; a sum takes the place of what is added, if none reads it
      // after.
      if (step.y == kNoBuffer) step.y = step.skip != kNoBuffer && last_use ? step.skip : new_floats(s);
      v.floats = step.y;
    } else {
      step.y = kNoBuffer;
    }
    if (fused != v.codes.end()) {
      step.codes = fused->buffer = new_codes(s);
      step.grid = grid_of(*fused->codes);
    }
    add(std::move(step));
    for (WantedCodes& wanted : v.codes) {
      if (wanted.buffer != kNoBuffer) continue;
      wanted.buffer = new_codes(s);
      add(codes_step(s, wanted, v.floats));
    }
  }

  void plan_node(int n) {
    Node& node = graph_.nodes[static_cast<size_t>(n)];
    const MapShape in = shape(node.inputs[0]), out = shape(n);
    const auto floats = [&](size_t i) { return value(node.inputs[i]).floats; };
    Step step{.work = pointwise(out), .relu = node.relu};
    switch (node.op) {
      case Op::conv:
      case Op::linear: return plan_layer(n, node, in, out);
      case Op::affine: {
        auto& work = std::get<Pointwise>(step.work);
        work.scale = filled_to(node.scale, work.channels);
        work.shift = filled_to(node.bias, work.channels);
        break;
      }
      case Op::add: step.skip = floats(1); break;
      case Op::relu: step.relu = true; break;
      case Op::max_pool:
        step.work = MaxPool{{.in_h = in.height,
                             .in_w = in.width,
                             .out_h = out.height,
                             .out_w = out.width,
                             .channels = stored_channels(in.channels),
                             .kernel = node.kernel,
                             .stride = node.stride,
                             .pad = node.pad}};
        break;
      case Op::subsample_pad: step.work = Subsample{in, out, node.stride, node.extra}; break;
      case Op::global_average: step.work = Average{in}; break;
    }
    step.x = floats(0);
    give(n, std::move(step), std::holds_alternative<Pointwise>(step.work));
  }

  void plan_layer(int n, Node& node, const MapShape& in, const MapShape& out) {
    Value& x = value(node.inputs[0]);
    const int codes = node.codes.present() ? x.find(node.codes).buffer : kNoBuffer;
    const int skip = node.inputs.size() > 1 ? value(node.inputs[1]).floats : kNoBuffer;
    if (node.is_integer()) {
      IntegerLayer layer = integer_layer(node, in, out);
      const auto needs = [&](size_t bytes) { plan_.scratch = std::max(plan_.scratch, static_cast<int64_t>(bytes)); };
      if (layer.packed.winograd) needs(integer::winograd_scratch(layer.shape));
      int windows = kNoBuffer;
      if (layer.halves != 0) {
        needs(integer::window_scratch(layer.shape) * sizeof(int32_t));
        windows = new_sums(out);
        add({.work = WindowSums{layer.shape, in.channels, layer.bounds.zero, layer.halves}, .x = codes, .y = windows});
      }
      drop_weights(node);
      return give(n, {.work = std::move(layer), .x = codes, .skip = skip, .windows = windows, .relu = node.relu}, true);
    }
    int floats = x.floats;
    if (node.codes.present()) {
      floats = new_floats(in);
      add({.work = Decode{decoded(node.codes), in.height * in.width * stored_channels(in.channels)},
           .x = codes,
           .y = floats});
    }
    FloatLayer layer = float_layer(node, in, out);
    drop_weights(node);
    const int sums = new_floats(out);
    add({.work = std::move(layer), .x = floats, .y = sums});
    give(n, {.work = pointwise(out), .x = sums, .skip = skip, .y = sums, .relu = node.relu}, true);
  }

  static void drop_weights(Node& node) {
    node.weights.codes = {};
    node.weights.values = {};
  }

  Plan& plan_;
  Graph& graph_;
  std::vector<Value> values_;
};

}  // namespace

Plan make_plan(Graph graph, const std::string& name, const std::string& isa) {
  Plan plan;
  plan.integers = isa.empty() ? &integer::chosen_kernels() : &integer::kernels_of(isa);
  plan.floats = isa.empty() ? &chosen_kernels() : &kernels_of(isa);
  plan.shapes = check_graph(graph, name);
  plan.graph = std::move(graph);
  Planner(plan).plan();
  return plan;
}

}  // namespace ntq::infer
