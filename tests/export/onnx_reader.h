#pragma once
// What stands in an ONNX file, by name, and the weights that its layers multiply by.
#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "export/onnx/file.h"

namespace ntq::test {

/// Looks things up in a file.
class OnnxReader {
 public:
  explicit OnnxReader(OnnxFile file) : file_(std::move(file)) {}
  const OnnxFile& file() const { return file_; }

  const OnnxNode& node(const std::string& name) const {
    for (const auto& node : file_.nodes) {
      if (node.name == name) return node;
    }
    throw std::runtime_error("no node " + name);
  }
  const OnnxTensor& constant(const std::string& name) const {
    for (const auto& tensor : file_.constants) {
      if (tensor.name == name) return tensor;
    }
    throw std::runtime_error("no constant " + name);
  }
  bool has(const std::string& name) const {
    return std::any_of(file_.nodes.begin(), file_.nodes.end(), [&](const OnnxNode& node) { return node.name == name; });
  }
  int count(const std::string& op) const {
    return static_cast<int>(
        std::count_if(file_.nodes.begin(), file_.nodes.end(), [&](const OnnxNode& node) { return node.op == op; }));
  }
  /// The ops from a node to the image, by first inputs: "Relu Conv DequantizeLinear ...".
  std::string way(std::string value) const {
    std::string ops;
    while (value != file_.input) {
      const OnnxNode& from = node(value);
      ops += (ops.empty() ? "" : " ") + from.op;
      value = from.inputs.at(0);
    }
    return ops;
  }
  std::string metadata(const std::string& key) const {
    for (const auto& [found, value] : file_.metadata) {
      if (found == key) return value;
    }
    return "(none)";
  }

  /// A constant, or what operators that runtimes fold make of one: Cast, Mul, Add, Transpose (which is left out) and
  /// DequantizeLinear along the first axis.
  std::vector<double> folded(const std::string& name) const {
    for (const auto& tensor : file_.constants) {
      if (tensor.name == name) return values_of(tensor);
    }
    const OnnxNode& from = node(name);
    std::vector<double> out = folded(from.inputs.at(0));
    if (from.op == "Cast" || from.op == "Transpose") return out;
    const std::vector<double> by = folded(from.inputs.at(1));
    for (size_t i = 0; i < out.size(); ++i) {
      if (from.op == "Mul" || from.op == "DequantizeLinear")
        out[i] *= by[i * by.size() / out.size()];
      else if (from.op == "Add")
        out[i] += by[i * by.size() / out.size()];
      else
        throw std::runtime_error(name + " is no constant");
    }
    return out;
  }

 private:
  static std::vector<double> values_of(const OnnxTensor& t) {
    const auto at = [&](size_t i, auto value) {
      std::memcpy(&value, t.raw.data() + i * sizeof value, sizeof value);
      return static_cast<double>(value);
    };
    std::vector<double> out;
    size_t count = 1;
    for (const int64_t size : t.dims) count *= static_cast<size_t>(size);
    for (size_t i = 0; i < count; ++i) {
      if (t.type == OnnxType::f32) out.push_back(at(i, 0.0f));
      if (t.type == OnnxType::i32) out.push_back(at(i, int32_t{0}));
      if (t.type == OnnxType::i8) out.push_back(at(i, int8_t{0}));
      if (t.type == OnnxType::int4) out.push_back(narrow(t.raw, i, 4));
      if (t.type == OnnxType::int2) out.push_back(narrow(t.raw, i, 2));
    }
    return out;
  }
  static double narrow(const std::string& raw, size_t i, int bits) {
    const size_t bit = i * static_cast<size_t>(bits);
    const int code = raw[bit / 8] >> bit % 8 & ((1 << bits) - 1);
    return code < 1 << (bits - 1) ? code : code - (1 << bits);
  }

  OnnxFile file_;
};

}  // namespace ntq::test
