// What a file says, read by protobuf's own reader, and the recorded bytes and answers of tests/golden/onnx.safetensors.
#include <doctest/doctest.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "engine/serialize.h"
#include "export/onnx/onnx.h"
#include "export/onnx/skips.h"
#include "infer/model.h"
#include "tests/export/tiny_graph.h"
#include "tests/support/files.h"

namespace ntq::test {
namespace {

std::vector<float> logits_of(const infer::Graph& graph) {
  const infer::Model model(graph);
  infer::Workspace work(model, kTinyImages);
  std::vector<float> logits(static_cast<size_t>(kTinyImages * model.classes()));
  model.run(tiny_images().data(), kTinyImages, logits.data(), work);
  return logits;
}

float largest_logit(const infer::Graph& graph) {
  const auto logits = logits_of(graph);
  return *std::max_element(logits.begin(), logits.end());
}

/// What is recorded: scripts/check-onnx --record is given these files.
struct TinyFile {
  std::string name;
  infer::Graph graph;
  OnnxOptions options;
};

std::vector<TinyFile> tiny_files() {
  auto seven = tiny_graph(4);
  seven.nodes.back().codes.bits = 7, seven.nodes.back().codes.high = 127;
  const OnnxOptions ort{.dialect = OnnxDialect::ort}, trt{.dialect = OnnxDialect::trt};
  return {
      {"w4a4-plain", tiny_graph(4), {}},
      {"w8a8-plain", tiny_graph(8), {}},
      {"w2a2-plain", tiny_graph(2), {}},
      {"w4a4-plain-int4", tiny_graph(4), {.weights = OnnxWeights::int4}},
      {"w2a2-plain-int2", tiny_graph(2), {.weights = OnnxWeights::int2}},
      {"w4a4-exact", tiny_graph(4), {.dialect = OnnxDialect::exact}},
      {"odd-plain", odd_graph(), {}},
      {"odd-exact", odd_graph(), {.dialect = OnnxDialect::exact}},
      {"w4a4-halves-plain", half_graph(4), {}},
      {"w4a4-halves-plain-int4", half_graph(4), {.weights = OnnxWeights::int4}},
      {"w8a8-halves-exact", half_graph(8), {.dialect = OnnxDialect::exact}},
      {"w4a4-ort", quantize_skips(tiny_graph(4), OnnxDialect::ort, largest_logit), ort},
      {"skip-plain", tiny_skip_graph(), {}},
      {"skip-exact", tiny_skip_graph(), {.dialect = OnnxDialect::exact}},
      {"skip-ort", quantize_skips(tiny_skip_graph(), OnnxDialect::ort, largest_logit), ort},
      {"w4a4-trt", quantize_skips(seven, OnnxDialect::trt, largest_logit), trt},
  };
}

TEST_CASE("onnx: files for scripts/check-onnx" * doctest::skip(std::getenv("NTQ_WRITE_ONNX") == nullptr)) {
  const std::filesystem::path folder = std::getenv("NTQ_WRITE_ONNX");
  for (const auto& file : tiny_files()) {
    write_file(folder / (file.name + ".onnx"), onnx_bytes(file.graph, file.options));
  }
}

TEST_CASE("onnx: protobuf reads what was written") {
  onnx::ModelProto model;
  REQUIRE(model.ParseFromString(onnx_bytes(tiny_graph(4), {.weights = OnnxWeights::int4})));
  CHECK(model.ir_version() == 10);
  REQUIRE(model.opset_import_size() == 1);
  CHECK(model.opset_import(0).version() == 21);
  CHECK(model.producer_name() == "ntq");
  const onnx::GraphProto& graph = model.graph();
  CHECK(graph.name() == "tiny");
  REQUIRE(graph.input_size() == 1);
  const auto& input = graph.input(0).type().tensor_type();
  CHECK(graph.input(0).name() == "image");
  CHECK(input.elem_type() == onnx::TensorProto::FLOAT);
  REQUIRE(input.shape().dim_size() == 4);
  CHECK(input.shape().dim(0).dim_param() == "N");
  CHECK(input.shape().dim(1).dim_value() == 3);
  CHECK(graph.output(0).name() == "logits");
  CHECK(graph.output(0).type().tensor_type().shape().dim(1).dim_value() == 5);
  const auto conv = std::find_if(graph.node().begin(), graph.node().end(),
                                 [](const onnx::NodeProto& node) { return node.name() == "layer2.0.conv1/Conv"; });
  REQUIRE(conv != graph.node().end());
  const auto strides = std::find_if(conv->attribute().begin(), conv->attribute().end(),
                                    [](const onnx::AttributeProto& a) { return a.name() == "strides"; });
  REQUIRE(strides != conv->attribute().end());
  CHECK(strides->type() == onnx::AttributeProto::INTS);
  CHECK(std::vector<int64_t>(strides->ints().begin(), strides->ints().end()) == std::vector<int64_t>{2, 2});
  const auto weight =
      std::find_if(graph.initializer().begin(), graph.initializer().end(),
                   [](const onnx::TensorProto& tensor) { return tensor.name() == "layer2.0.conv1.weight"; });
  REQUIRE(weight != graph.initializer().end());
  CHECK(weight->data_type() == 22);
  CHECK(weight->raw_data().size() == 8 * 4 * 9 / 2);
  CHECK(model.metadata_props(0).key() == "ntq.dialect");
}

TEST_CASE("onnx: recorded bytes; what was answered to them is what ntq answers") {
  const TensorFile golden = load_tensors(NTQ_SOURCE_DIR "/tests/golden/onnx.safetensors");
  const auto images = tiny_images();
  CHECK(std::equal(images.begin(), images.end(), golden.at("images").f32()));
  for (const auto& file : tiny_files()) {
    CAPTURE(file.name);
    const Tensor recorded = golden.at(file.name);
    const std::string bytes = onnx_bytes(file.graph, file.options);
    CHECK(onnx_bytes(file.graph, file.options) == bytes);
    const std::string_view known(reinterpret_cast<const char*>(recorded.raw()), recorded.bytes());
    CHECK_MESSAGE(bytes == known, "the file has changed; if it should have, record it anew: scripts/check-onnx --help");
    const auto logits = logits_of(file.graph);
    for (const char* runtime : {"ort-as-written", "ort", "openvino"}) {
      CAPTURE(runtime);
      const std::string name = file.name + "/" + runtime;
      const auto found = std::find_if(golden.tensors.begin(), golden.tensors.end(),
                                      [&](const auto& tensor) { return tensor.first == name; });
      // OpenVINO has no INT2.
      CHECK((found != golden.tensors.end()) == (name != "w2a2-plain-int2/openvino"));
      if (found == golden.tensors.end()) continue;
      float off = 0, most = 0;
      for (size_t i = 0; i < logits.size(); ++i) {
        off = std::max(off, std::abs(found->second.f32()[i] - logits[i]));
        most = std::max(most, std::abs(logits[i]));
      }
      // Where a value lies within rounding of a tie another code may follow; not where sums are of integers.
      const bool integers = file.name.ends_with("-exact") && file.name != "odd-exact";
      const bool exact = integers && std::string(runtime) != "openvino";
      CHECK(off <= (exact ? 0 : 0.03f * most));
    }
  }
}

}  // namespace
}  // namespace ntq::test
