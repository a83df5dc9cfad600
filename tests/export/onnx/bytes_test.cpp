// What a file says, read by protobuf's own reader.
#include <doctest/doctest.h>
#include <onnx/onnx_pb.h>

#include <cstdlib>
#include <filesystem>

#include "export/onnx/onnx.h"
#include "tests/export/tiny_graph.h"
#include "tests/support/files.h"

namespace ntq::test {
namespace {

/// All that check-onnx and the recorded bytes are made from.
struct TinyFile {
  std::string name;
  int bits;
  OnnxOptions options;
};
const std::vector<TinyFile> kTinyFiles = {
    {"w4a4-plain", 4, {}},
    {"w8a8-plain", 8, {}},
    {"w2a2-plain", 2, {}},
    {"w4a4-plain-int4", 4, {.weights = OnnxWeights::int4}},
    {"w2a2-plain-int2", 2, {.weights = OnnxWeights::int2}},
    {"w4a4-exact", 4, {.dialect = OnnxDialect::exact}},
    {"w4a4-trt", 4, {.dialect = OnnxDialect::trt}},
};

TEST_CASE("onnx: files for scripts/check-onnx" * doctest::skip(std::getenv("NTQ_WRITE_ONNX") == nullptr)) {
  const std::filesystem::path folder = std::getenv("NTQ_WRITE_ONNX");
  for (const auto& file : kTinyFiles) {
    write_file(folder / (file.name + ".onnx"), onnx_bytes(tiny_graph(file.bits), file.options));
  }
}

}  // namespace
}  // namespace ntq::test
