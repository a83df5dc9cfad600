// ONNX files of lowered networks of every method: their weights, decoded, are those that the network multiplies by.
#include <doctest/doctest.h>

#include <cmath>

#include "export/lower.h"
#include "export/onnx/writer.h"
#include "layers/weighted_layer.h"
#include "quant/method.h"
#include "tests/export/networks.h"
#include "tests/export/onnx_reader.h"

namespace ntq::test {
namespace {

/// What a layer multiplies by, {Cout,Cin,Kh,Kw}, batch norm in it: from the modules.
std::vector<double> weights_of_model(Module& model, const std::string& layer) {
  Tensor weight;
  std::vector<double> gain, out;
  std::string norm = layer;
  if (const size_t at = norm.rfind("conv"); at != std::string::npos) norm.replace(at, 4, "bn");
  NamedTensors state = model.state_dict();
  const auto of_norm = [&](const char* what) {
    for (const auto& [name, tensor] : state) {
      if (name == norm + what) return tensor.to_vector();
    }
    return std::vector<float>();
  };
  model.visit([&](const std::string& name, Module& module) {
    const auto* weighted = dynamic_cast<WeightedLayer*>(&module);
    if (name == layer && weighted) weight = apply_quantizer(weighted->weight_quantizer(), weighted->weight());
  });
  const bool conv = weight.shape().rank() == 4;
  const int64_t outs = weight.size(0), ins = weight.size(-1), taps = weight.numel() / outs / ins;
  const std::vector<float> values = weight.to_vector(), gamma = of_norm(".weight"), variance = of_norm(".running_var");
  for (int64_t o = 0; o < outs; ++o) {
    const auto c = static_cast<size_t>(o);
    const double scale = conv ? static_cast<double>(gamma[c]) / std::sqrt(static_cast<double>(variance[c]) + 1e-5) : 1;
    for (int64_t in = 0; in < ins; ++in) {
      for (int64_t t = 0; t < taps; ++t)
        out.push_back(scale * static_cast<double>(values[static_cast<size_t>((o * taps + t) * ins + in)]));
    }
  }
  return out;
}

/// The same from a file: weights of the convolution, plus those that a filter of ones stands for.
std::vector<double> weights_of_file(const OnnxReader& file, const infer::Node& layer, OnnxDialect dialect) {
  const bool conv = layer.op == infer::Op::conv, exact = dialect == OnnxDialect::exact;
  const bool integer = exact && layer.is_integer();
  const std::string op = integer ? (conv ? "ConvInteger" : "MatMulInteger") : conv ? "Conv" : "Gemm";
  std::vector<double> out = file.folded(file.node(layer.name + "/" + op).inputs.at(1));
  const auto taps = static_cast<size_t>(layer.weights.taps());
  if (file.has(layer.name + ".ones/Mul")) {
    const double factor = integer ? file.folded(file.node(layer.name + ".sum/Mul").inputs.at(1)).at(0) : 1;
    const std::vector<double> common = file.folded(file.node(layer.name + ".ones/Mul").inputs.at(1));
    for (size_t i = 0; i < out.size(); ++i) out[i] = factor * out[i] + common[common.size() == 1 ? 0 : i / taps];
  }
  if (!exact) return out;
  const double step = layer.codes.present() && layer.codes.levels.empty() ? static_cast<double>(layer.codes.step) : 1;
  for (size_t i = 0; i < out.size(); ++i) out[i] *= static_cast<double>(layer.scale[i / taps]) / step;
  return out;
}

void check_weights(Module& model, const infer::Graph& graph, const OnnxOptions& options) {
  const OnnxReader file(onnx_file(graph, options));
  for (const infer::Node& node : graph.nodes) {
    if (!node.has_weights()) continue;
    const std::vector<double> found = weights_of_file(file, node, options.dialect),
                              expected = weights_of_model(model, node.name);
    REQUIRE(found.size() == expected.size());
    double worst = 0, most = 0;
    for (size_t i = 0; i < found.size(); ++i) {
      worst = std::max(worst, std::abs(found[i] - expected[i]));
      most = std::max(most, std::abs(expected[i]));
    }
    CHECK_MESSAGE(worst <= 4e-6 * most, node.name);
  }
}

}  // namespace

TEST_CASE("onnx of every method: the weights that the network multiplies by") {
  for (const std::string& method : quantizer_names()) {
    for (const int b : {4, 8}) {
      CAPTURE(method);
      CAPTURE(b);
      const auto model = settled("resnet20", bits(b, quant_method(method).scope.unsigned_inputs ? b : 32, method), 4);
      const Lowered lowered = lower(*model, {4, 4, 3});
      model->eval();
      for (const OnnxDialect dialect : {OnnxDialect::plain, OnnxDialect::exact}) {
        CAPTURE(onnx_dialect_name(dialect));
        check_weights(*model, lowered.graph, {.dialect = dialect});
        const infer::Weights& w = lowered.graph.nodes[1].weights;
        if (w.bits <= 4 && w.levels.empty())
          check_weights(*model, lowered.graph, {.dialect = dialect, .weights = OnnxWeights::int4});
      }
    }
  }
}

}  // namespace ntq::test
