#include "apps/speed.h"

#include <algorithm>
#include <chrono>
#include <functional>

#include "apps/image_files.h"
#include "engine/autograd.h"
#include "engine/backend/cpu_settings.h"
#include "engine/backend/registry.h"
#include "train/deployed.h"

namespace ntq::apps {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// How often `once` is done in a second; `fastest`: at most, by the shortest call.
double rate(double seconds, const std::function<void()>& once, double& fastest) {
  const auto start = Clock::now();
  double passed = 0;
  int64_t times = 0;
  do {
    const auto call = Clock::now();
    once();
    fastest = std::max(fastest, 1 / since(call));
    ++times;
    passed = since(start);
  } while (passed < seconds);
  return static_cast<double>(times) / passed;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// `count` images, those that there are again and again.
std::vector<uint8_t> repeated(const std::vector<uint8_t>& images, int64_t count, const infer::MapShape& shape) {
  std::vector<uint8_t> out(static_cast<size_t>(count * shape.size()));
  for (size_t at = 0; at < out.size(); at += images.size())
    std::copy_n(images.begin(), std::min(images.size(), out.size() - at), out.begin() + static_cast<int64_t>(at));
  return out;
}

}  // namespace

Speed measure_speed(const infer::Model& model, Module* trained, const std::vector<uint8_t>& images,
                    const SpeedOptions& o) {
  set_cpu_threads(o.threads);
  const NoGrad no_grad;
  const std::vector<uint8_t> bytes = repeated(images, o.batch, model.image());
  const Tensor floats = trained != nullptr ? normalised(model, bytes, o.batch).to(o.device) : Tensor();
  infer::Workspace work(model, o.batch, cpu_parallel());
  std::vector<float> logits(static_cast<size_t>(o.batch * model.classes()));
  const auto run = [&] { model.run(bytes.data(), o.batch, logits.data(), work); };
  const auto forward = [&] {
    trained->forward(floats);
    synchronize(o.device);
  };
  run();  // neither form is cold
  if (trained != nullptr) forward();
  std::vector<double> deployed, as_trained;
  double fastest = 0, ignored = 0;
  for (int round = 0; round < o.rounds; ++round) {
    deployed.push_back(rate(o.seconds, run, fastest));
    if (trained != nullptr) as_trained.push_back(rate(o.seconds, forward, ignored));
  }
  const auto batch = static_cast<double>(o.batch);
  Speed out{.deployed = batch * median(deployed), .fastest = batch * fastest, .arena = work.bytes()};
  if (trained != nullptr) out.trained = batch * median(as_trained);
  return out;
}

double operations(const infer::Model& model) {
  const auto& nodes = model.graph().nodes;
  double sum = 0;
  for (size_t n = 0; n < nodes.size(); ++n) {
    if (!nodes[n].has_weights()) continue;
    const infer::MapShape& out = model.shapes()[n];
    sum += 2 * static_cast<double>(out.size()) * static_cast<double>(nodes[n].weights.taps());
  }
  return sum;
}

}  // namespace ntq::apps
