// ResNets with timm's names, against what timm computes with the same weights (scripts/golden/make_timm_reference.py).
#include <doctest/doctest.h>

#include <cmath>

#include "engine/autograd.h"
#include "engine/ops/loss.h"
#include "models/model.h"
#include "train/weights.h"

using namespace ntq;

namespace {

/// Values in [-0.5, 0.5): a multiplicative hash of (salt, index).
double unit(uint64_t index, uint64_t salt) {
  auto hashed = static_cast<uint32_t>((index + salt * 1000003) * 2654435761u + 12345);
  hashed = (hashed ^ hashed >> 15) * 2246822519u;
  hashed ^= hashed >> 13;
  return static_cast<double>(hashed) / 4294967296.0 - 0.5;
}

/// The file that timm would have written: its names, its layout, weights by the formula.
TensorFile timm_file(Module& model) {
  TensorFile file;
  for (const auto& [name, tensor] : public_weights(model, Export::weights)) {
    Tensor values = Tensor::empty(tensor.shape());
    const uint64_t salt = stream_id(name);
    const bool matrix = tensor.shape().rank() >= 2;
    const double scale = matrix ? std::sqrt(24.0 / static_cast<double>(tensor.shape().numel_from(1))) : 0;
    for (int64_t i = 0; i < tensor.numel(); ++i) {
      double v = unit(static_cast<uint64_t>(i), salt);
      if (matrix) {
        v *= scale;
      } else if (name.ends_with("running_var")) {
        v = 1.0 + v * 0.5;
      } else {
        v = name.ends_with("weight") ? 0.3 + v * 0.2 : v * 0.2;
      }
      values.f32()[i] = static_cast<float>(v);
    }
    file.tensors.emplace_back(name, values);
    if (name.ends_with("running_var")) {
      file.tensors.emplace_back(name.substr(0, name.size() - 11) + "num_batches_tracked",
                                Tensor::zeros({1}, DType::i64));
    }
  }
  return file;
}

/// {4,64,64,3}, counted in the order {N,C,H,W}.
Tensor images() {
  Tensor x = Tensor::empty({4, 64, 64, 3});
  for (int64_t n = 0; n < 4; ++n) {
    for (int64_t c = 0; c < 3; ++c) {
      for (int64_t p = 0; p < 64 * 64; ++p)
        x.f32()[(n * 64 * 64 + p) * 3 + c] =
            static_cast<float>(4 * unit(static_cast<uint64_t>((n * 3 + c) * 64 * 64 + p), 999));
    }
  }
  return x;
}

std::shared_ptr<Module> load(const std::string& name) {
  const auto model = make_model(name, {.classes = 10, .stem = Stem::imagenet});
  const LoadReport report =
      load_weights(*model, read_public_weights(timm_file(*model), "timm"), {.path = "timm", .model = name});
  CHECK(report.missing.empty());
  CHECK(report.left_over.empty());
  return model;
}

const TensorFile& golden() {
  static const TensorFile file = load_tensors(NTQ_SOURCE_DIR "/tests/golden/timm_resnets.safetensors");
  return file;
}

double largest(const Tensor& t) {
  double most = 0;
  for (const float v : t.to_vector()) most = std::max(most, static_cast<double>(std::abs(v)));
  return most;
}

}  // namespace

TEST_CASE("logits are timm's within 1e-4 of the largest") {
  for (const char* name : {"resnet18", "resnet34", "resnet50", "resnet152"}) {
    CAPTURE(name);
    const auto model = load(name);
    model->eval();
    const NoGrad no_grad;
    const Tensor logits = model->forward(images()), &expected = golden().at(std::string(name) + ".logits");
    REQUIRE(logits.shape() == expected.shape());
    double off = 0;
    for (int64_t i = 0; i < logits.numel(); ++i)
      off = std::max(off, std::abs(static_cast<double>(logits.f32()[i]) - static_cast<double>(expected.f32()[i])));
    MESSAGE(name << ": off by " << off / largest(expected) << " of the largest logit");
    CHECK(off <= 1e-4 * largest(expected));
  }
}

TEST_CASE("gradients of resnet18 are timm's") {
  const auto model = load("resnet18");
  model->train();
  const int32_t labels[] = {1, 3, 5, 7};
  softmax_cross_entropy(model->forward(images()), Tensor::from({4}, std::span<const int32_t>(labels))).backward();
  int64_t compared = 0;
  for (const auto& entry : model->named_parameters()) {
    const std::string& name = entry.first;
    CAPTURE(name);
    const Tensor grad = entry.second.grad(), &expected = golden().at("grad/" + name);
    REQUIRE(grad.defined());
    double sum = 0;
    for (const float g : grad.to_vector()) sum += static_cast<double>(g) * static_cast<double>(g);
    const double norm = std::sqrt(sum), norm_there = static_cast<double>(golden().at("norm/" + name).f32()[0]);
    CHECK(norm == doctest::Approx(norm_there).epsilon(1e-3));
    // Value i of OIHW.
    const bool filter = grad.shape().rank() == 4;
    const int64_t in = filter ? grad.size(3) : 1, kernel = filter ? grad.size(1) * grad.size(2) : 1;
    double off = 0;
    for (int64_t i = 0; i < expected.numel(); ++i) {
      const int64_t at = filter ? (i / (in * kernel) * kernel + i % kernel) * in + i / kernel % in : i;
      off = std::max(off, std::abs(static_cast<double>(grad.f32()[at]) - static_cast<double>(expected.f32()[i])));
    }
    CHECK(off <= 1e-3 * norm_there);
    ++compared;
  }
  CHECK(compared == 62);
}
