#include "train/profile.h"

#include <algorithm>
#include <string_view>
#include <thread>

#include "base/check.h"
#include "base/isa.h"
#include "engine/autograd.h"
#include "engine/backend/cpu_settings.h"
#include "engine/backend/registry.h"

namespace ntq {
namespace {

constexpr int kDepth = 6;  // ops between a parameter and the product that reads what they make of it

/// "conv2d 3x3/2 64>128 @32x32", of the images that go in.
std::string text_of(const PrimitiveCall& call) {
  if (call.flop == 0) return call.name;
  const ConvGeometry& g = call.conv;
  return concat(call.name, " ", g.kernel_h, "x", g.kernel_w, g.stride > 1 ? concat("/", g.stride) : "", " ", g.in_c,
                g.out_c != g.in_c ? concat(">", g.out_c) : "", " @", g.in_h, "x", g.in_w,
                g.groups > 1 ? concat(" in ", g.groups, " groups") : "");
}

bool updates(const PrimitiveCall& call) { return std::string_view(call.name).ends_with("_step"); }

double seconds_between(std::chrono::steady_clock::time_point begin, std::chrono::steady_clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

}  // namespace

double MachineLimits::products(DType a, DType b, DType y) const {
  const auto byte = [](DType type) { return type == DType::i8 || type == DType::u8; };
  if (byte(a) && byte(b)) return byte_dot;
  return bf16_dot > 0 && (a == DType::bf16 || b == DType::bf16 || y == DType::bf16) ? bf16_dot : fma;
}

MachineLimits measure_limits() {
  const int threads = cpu_threads();
  return {.fma = machine_limit(Limit::fma, threads),
          .bf16_dot = machine_limit(Limit::bf16_dot, threads),
          .byte_dot = machine_limit(Limit::byte_dot, threads),
          .copy = machine_limit(Limit::copy, threads)};
}

Profile::Profile(const Module& model, size_t most_events) : most_events_(most_events) {
  for (const auto& [name, tensor] : model.named_parameters()) {
    const size_t dot = name.rfind('.');
    layers_[tensor.id()] = dot == std::string::npos ? name : name.substr(0, dot);
    device_ = tensor.device();
  }
  if (backend_for(device_).host_memory()) limits_ = measure_limits();
  watch_.forward = [this](const char* op, const std::vector<Tensor>& inputs) {
    if (gradient_of_) return;  // it is made of ops
    if (part_ != Part::validation) part_ = Part::forward;
    assign(op, layer_of(inputs));
  };
  watch_.gradient_begins = [this](const char* op, const std::vector<Tensor>& inputs) {
    assign("", nullptr);
    part_ = Part::backward;
    gradient_of_ = op, gradient_layer_ = layer_of(inputs);
  };
  watch_.gradient_ends = [this] {
    assign(gradient_of_, gradient_layer_);
    gradient_of_ = nullptr;
  };
  watch_before_ = set_op_watch(&watch_);
  start_ = part_begin_ = step_begin_ = Clock::now();
  profile_primitives(device_, [this, thread = std::this_thread::get_id()](const PrimitiveCall& call) {
    if (std::this_thread::get_id() == thread) take(call);
  });
}

Profile::~Profile() { stop(); }

void Profile::stop() {
  if (!running_) return;
  running_ = false;
  begin(part_);
  profile_primitives(device_, {});
  set_op_watch(watch_before_);
}

void Profile::take(const PrimitiveCall& call) {
  const bool between = part_ == Part::backward && gradient_of_ == nullptr;
  if (between && updates(call)) part_ = Part::update;
  if (between || (part_ == Part::update && updates(call))) return count(call, "", nullptr);
  pending_.push_back(call);
}

void Profile::begin(Part part) {
  assign("", nullptr);
  const auto now = Clock::now();
  (part_ == Part::validation ? validation_seconds_ : training_seconds_) += seconds_between(part_begin_, now);
  part_ = part;
  part_begin_ = step_begin_ = now;
}

void Profile::end_step() {
  assign("", nullptr);
  part_ = Part::forward;
  const auto now = Clock::now();
  ++steps_;
  if (left_out_ == 0) step_times_.emplace_back(seconds_between(start_, step_begin_), seconds_between(step_begin_, now));
  step_begin_ = now;
}

void Profile::assign(const char* op, const std::string* layer) {
  for (const PrimitiveCall& call : pending_) count(call, op, layer);
  pending_.clear();
}

void Profile::count(const PrimitiveCall& call, const char* op, const std::string* layer) {
  static constexpr const char* kPhases[] = {"forward", "backward", "update", "validation"};
  std::string phase = kPhases[static_cast<int>(part_)], primitive = text_of(call);
  const auto [found, fresh] = index_.try_emplace({phase, op, primitive}, rows_.size());
  if (fresh) rows_.push_back({.phase = std::move(phase), .op = op, .primitive = std::move(primitive)});
  ProfileRow& row = rows_[found->second];
  const double seconds = seconds_between(call.begin, call.end);
  const auto flop = static_cast<double>(call.flop), bytes = static_cast<double>(call.bytes);
  ++row.calls;
  row.seconds += seconds, row.flop += flop, row.bytes += bytes;
  const double products = limits_.products(call.a, call.b, call.y);
  if (limits_.copy > 0 && (flop == 0 || products > 0)) {
    row.least_seconds += std::max(bytes / limits_.copy, flop > 0 ? flop / products : 0) / 1e9;
  }
  if (events_.size() < most_events_) {
    events_.push_back({found->second, layer, seconds_between(start_, call.begin), seconds, flop, bytes});
  } else {
    ++left_out_;
  }
}

/// Of the first input that is a parameter or made of parameters alone: a quantized weight, say.
const std::string* Profile::layer_of(const std::vector<Tensor>& inputs) const {
  for (const Tensor& input : inputs) {
    if (const std::string* layer = layer_of(input, kDepth)) return layer;
  }
  return nullptr;
}

const std::string* Profile::layer_of(const Tensor& tensor, int depth) const {
  if (!tensor) return nullptr;
  if (const auto found = layers_.find(tensor.id()); found != layers_.end()) return &found->second;
  if (!tensor.node() || depth == 0) return nullptr;
  const std::string* first = nullptr;
  for (const Tensor& input : tensor.node()->inputs) {
    if (!input) continue;
    const std::string* const layer = layer_of(input, depth - 1);
    if (!layer) return nullptr;
    if (!first) first = layer;
  }
  return first;
}

}  // namespace ntq
