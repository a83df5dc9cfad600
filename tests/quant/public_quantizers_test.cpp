// Ours beside Brevitas 0.13.4 and diffq 0.2.4 (PyPI), as scripts/compare-quantizers recorded them: values and gradients
// where they mean the same.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/ops/binary.h"
#include "engine/ops/reduce.h"
#include "engine/ops/reshape.h"
#include "engine/ops/unary.h"
#include "engine/serialize.h"
#include "quant/method.h"
#include "quant/methods/diffq.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::check_close;

namespace {

const std::map<std::string, Tensor>& recorded() {
  static const std::map<std::string, Tensor> all = [] {
    std::map<std::string, Tensor> out;
    for (auto& [name, tensor] : load_tensors(NTQ_SOURCE_DIR "/tests/golden/public_quantizers.safetensors").tensors)
      out.emplace(name, tensor);
    return out;
  }();
  return all;
}

std::vector<double> doubles(const Tensor& t) {
  const std::vector<float> values = t.to_vector();
  return {values.begin(), values.end()};
}

/// What is recorded under `name` ("lsq/diffq/4") against `q`, whose `parameter` it has learned; their gradient of it is
/// `ratio` times ours.
void check_case(const std::string& name, Quantizer& q, Tensor parameter, double ratio) {
  CAPTURE(name);
  const auto part = [&](const char* what) { return recorded().at(name + "/" + what); };
  parameter.copy_from(part("parameter"));
  Tensor x = part("x").clone();
  x.set_requires_grad(true);
  const Tensor y = q.forward(x);
  sum(mul(y, part("g"))).backward();
  check_close(y.detach(), doubles(part("y")), 1e-6);
  check_close(x.grad(), doubles(part("dx")), 1e-6);
  const auto found = static_cast<double>(parameter.grad().item()) * ratio, theirs = doubles(part("dparameter"))[0];
  CHECK(found == doctest::Approx(theirs).epsilon(2e-5));
}

std::shared_ptr<Quantizer> recorded_kind(const char* method, int bits, bool is_signed) {
  return make_quantizer({.method = method, .bits = bits, .is_signed = is_signed, .name = "conv1"});
}

}  // namespace

TEST_CASE("public quantizers: LSQ as diffq's and as Brevitas' learned scale") {
  for (const int bits : {2, 3, 4, 8}) {
    const auto weights = recorded_kind("lsq", bits, true);
    check_case(concat("lsq/diffq/", bits), *weights, weights->step(), 1);
    for (const bool is_signed : {true, false}) {
      const std::string name = concat("lsq/brevitas/", bits, is_signed ? "" : "u");
      const auto q = recorded_kind("lsq", bits, is_signed);
      const auto n = static_cast<double>(recorded().at(name + "/x").numel());
      check_case(name, *q, q->step(), std::sqrt(n * double{q->range().high}));  // Brevitas has no g
    }
  }
}

TEST_CASE("public quantizers: PACT, with the scale's part of the gradient, as Brevitas' learned clipping level") {
  for (const int bits : {2, 3, 4, 8}) {
    const auto q = make_quantizer({.method = "pact",
                                   .bits = bits,
                                   .is_signed = false,
                                   .is_weight = false,
                                   .name = "conv1",
                                   .settings = {{"alpha_grad", "lsq"}}});
    check_case(concat("pact/brevitas/", bits, "u"), *q, q->parameters()[0].value, 1);
  }
}

TEST_CASE("public quantizers: DiffQ's weights in evaluation and in training, and its size, as diffq's") {
  for (const int bits : {3, 5, 8}) {
    CAPTURE(bits);
    const auto part = [&](const char* what) { return recorded().at(concat("diffq/diffq/", bits, "/", what)); };
    Tensor x = part("x").clone();
    const auto q = make_quantizer({.method = "diffq",
                                   .bits = bits,
                                   .shape = x.shape(),
                                   .name = "fc",
                                   .settings = {{"group_size", 8}, {"min_size", 0}, {"penalty", 1}}});
    Tensor logit = q->parameters()[0].value;
    check_close(logit.detach(), doubles(part("logit")), 1e-6);
    q->eval();
    check_close(q->forward(x), doubles(part("y")), 1e-6);

    const Tensor size = q->penalty();
    CHECK(size.item() == doctest::Approx(part("size").item()).epsilon(1e-6));
    size.backward();
    check_close(logit.grad(), doubles(part("dsize")), 1e-11);

    logit.zero_grad();
    x.set_requires_grad(true);
    const Tensor b = add(scale(reshape(sigmoid(logit), {logit.numel(), 1}), 13), 2.0f);
    const Tensor noised = diffq_noised(x, b, part("noise"));
    check_close(noised.detach(), doubles(part("noised")), 1e-6);
    sum(mul(noised, part("g"))).backward();
    check_close(x.grad(), doubles(part("dx")), 1e-5);
    check_close(logit.grad(), doubles(part("dlogit")), 1e-5);
  }
}
