#include "infer/plan.h"

#include <algorithm>

#include "base/check.h"
#include "base/integer/kernels/kernels.h"
#include "infer/codes.h"
#include "infer/values.h"

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
  explicit Planner(Plan& plan) : plan_(plan), graph_(plan.graph), values_(graph_), done_(graph_.nodes.size()) {}

  void plan() {
    plan_image();
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      if (!done_[n]) plan_node(static_cast<int>(n));
    }
    plan_.logits = value(static_cast<int>(graph_.nodes.size()) - 1).floats;
    plan_.buffers[static_cast<size_t>(plan_.logits)].last = time();
    place_buffers(plan_);
  }

 private:
  Value& value(int node) { return values_.of(node); }
  const MapShape& shape(int node) const {
    return node == kImage ? graph_.image : plan_.shapes[static_cast<size_t>(node)];
  }
  /// Steps of the image are at time 0, the others follow.
  int time() const { return static_cast<int>(plan_.steps.size()); }

  int new_buffer(const MapShape& s, int64_t bytes) {
    plan_.buffers.push_back({s.height * s.width * stored_channels(s.channels) * bytes, time() + 1, time() + 1});
    return static_cast<int>(plan_.buffers.size()) - 1;
  }
  int new_floats(const MapShape& s) { return new_buffer(s, 4); }
  int new_codes(const MapShape& s) { return new_buffer(s, 1); }
  /// One int32 for each pixel.
  int new_sums(const MapShape& s) { return new_buffer({s.height, s.width, 1}, sizeof(int32_t) / integer::kQuad); }

  /// Not in line: g++ 12 sees numbers without a value in the temporary.
  [[gnu::noinline]] static void append(std::vector<Step>& steps, Step step) { steps.push_back(std::move(step)); }

  void add(Step step) {
    append(plan_.steps, std::move(step));
    const Step& s = plan_.steps.back();
    for (const int buffer : {s.x, s.skip, s.windows}) {
      if (buffer != kNoBuffer) plan_.buffers[static_cast<size_t>(buffer)].last = time();
    }
  }

  static Pointwise pointwise(const MapShape& s) {
    return {.pixels = s.height * s.width, .channels = stored_channels(s.channels)};
  }

  Step codes_step(const MapShape& s, const Value::Codes& wanted, int floats) {
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
    append(plan_.from_floats, {.work = TakeFloats{s}, .y = image.floats});
    if (image.wants_floats) append(plan_.from_bytes, {.work = NormaliseImage{s, plan_.byte_tables}, .y = image.floats});
    for (Value::Codes& wanted : image.codes) {
      wanted.buffer = new_codes(s);
      append(plan_.from_floats, codes_step(s, wanted, image.floats));
      std::vector<uint8_t> tables(plan_.byte_tables.size());
      bytes_of(*wanted.codes, plan_.byte_tables.data(), static_cast<int64_t>(tables.size()), tables.data());
      append(plan_.from_bytes, {.work = LookUpCodes{s, std::move(tables)}, .codes = wanted.buffer});
    }
    for (Buffer& b : plan_.buffers) b.first = b.last = 0;
  }

  /// The node is part of a step from here on.
  void start(int node) {
    done_[static_cast<size_t>(node)] = true;
    values_.start(node);
  }

  /// Nodes that only quantize what the step gives become part of it: the last of them. `adds` is the node whose second
  /// input the step adds.
  int with_quantizers(int node, Step& step, int& adds) {
    for (int next = values_.quantizer_of(node); next >= 0 && !step.after; next = values_.quantizer_of(node)) {
      const Node& q = graph_.nodes[static_cast<size_t>(next)];
      const bool sum = q.inputs.size() > 1;
      if (!sum && !q.relu) {
        step.after = grid_of(q.codes);
      } else if (step.before || step.skip != kNoBuffer || step.relu ||
                 (sum && value(q.inputs[1]).floats == kNoBuffer)) {
        break;
      } else {
        step.before = grid_of(q.codes), step.relu = q.relu;
        if (sum) step.skip = added_to(q), adds = next;
      }
      start(node = next);
    }
    return node;
  }

  /// Adds `step`, which gives the node's value, in all forms that are wanted. With an epilogue it makes codes itself,
  /// and does what the nodes do that quantize the value.
  void give(int node, Step step, bool epilogue) {
    int adds = node;
    if (epilogue) node = with_quantizers(node, step, adds);
    Value& v = value(node);
    const MapShape& s = shape(node);
    const auto fused = std::find_if(v.codes.begin(), v.codes.end(),
                                    [&](const Value::Codes& c) { return epilogue && is_plain(*c.codes); });
    const bool others = v.codes.size() > (fused == v.codes.end() ? 0u : 1u);
    if (v.wants_floats || others || v.codes.empty()) {
      // The step may have its sums in the buffer already. A sum takes the place of what is added, if none reads it
      // after, and it is not what a convolution reads.
      const auto added = [&] { return graph_.nodes[static_cast<size_t>(adds)].inputs[1]; };
      const bool in_place = step.skip != kNoBuffer && step.skip != step.x && value(added()).reads_left == 0;
      if (step.y == kNoBuffer) step.y = in_place ? step.skip : new_floats(s);
      v.floats = step.y;
    } else {
      step.y = kNoBuffer;
    }
    if (fused != v.codes.end()) {
      step.codes = fused->buffer = new_codes(s);
      step.grid = grid_of(*fused->codes);
    }
    add(std::move(step));
    for (Value::Codes& wanted : v.codes) {
      if (wanted.buffer != kNoBuffer) continue;
      wanted.buffer = new_codes(s);
      add(codes_step(s, wanted, v.floats));
    }
  }

  void plan_node(int n) {
    Node& node = graph_.nodes[static_cast<size_t>(n)];
    const MapShape in = shape(node.inputs[0]), out = shape(n);
    start(n);
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
      case Op::quantize: return plan_quantize(n, node, in);
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
    const int codes = node.codes.present() ? x.find(node.codes).buffer : kNoBuffer, skip = added_to(node);
    if (node.is_integer()) {
      IntegerLayer layer = integer_layer(node, in, out);
      const auto needs = [&](size_t bytes) { plan_.scratch = std::max(plan_.scratch, static_cast<int64_t>(bytes)); };
      if (layer.packed.winograd) needs(integer::winograd_scratch(layer.shape));
      if (layer.packed.tight) needs(integer::tight_scratch(layer.shape));
      int windows = kNoBuffer;
      if (layer.halves != 0) {
        needs(integer::window_scratch(layer.shape) * sizeof(int32_t));
        windows = new_sums(out);
        add({.work = WindowSums{layer.shape, in.channels, layer.bounds.zero, layer.halves}, .x = codes, .y = windows});
      }
      drop_weights(node);
      return give(n, {.work = std::move(layer), .x = codes, .skip = skip, .windows = windows, .relu = node.relu}, true);
    }
    const int floats = node.codes.present() ? decode(node, in, 1) : x.floats;
    FloatLayer layer = float_layer(node, in, out);
    drop_weights(node);
    give(n, {.work = std::move(layer), .x = floats, .skip = skip, .relu = node.relu}, true);
  }

  int added_to(const Node& node) { return node.inputs.size() > 1 ? value(node.inputs[1]).floats : kNoBuffer; }

  /// The codes of the node's input, as floats again.
  int decode(const Node& node, const MapShape& in, float unit) {
    const int floats = new_floats(in);
    add({.work = Decode{decoded(node.codes, unit), in.height * in.width * stored_channels(in.channels)},
         .x = value(node.inputs[0]).find(node.codes).buffer,
         .y = floats});
    return floats;
  }

  /// One that is part of no other step.
  void plan_quantize(int n, const Node& node, const MapShape& in) {
    const int floats = decode(node, in, node.codes.step);
    give(n, {.work = pointwise(in), .x = floats, .skip = added_to(node), .y = floats, .relu = node.relu}, true);
  }

  static void drop_weights(Node& node) {
    node.weights.codes = {};
    node.weights.values = {};
  }

  Plan& plan_;
  Graph& graph_;
  Values values_;
  std::vector<bool> done_;  ///< nodes that are part of an earlier step
};

}  // namespace

Plan make_plan(Graph graph, const std::string& name, const std::string& isa) {
  Plan plan;
  plan.kernels = isa.empty() ? &integer::chosen_kernels() : &integer::kernels_of(isa);
  plan.shapes = check_graph(graph, name);
  plan.graph = std::move(graph);
  Planner(plan).plan();
  return plan;
}

}  // namespace ntq::infer
