#pragma once
// What an ONNX file holds, as plain structs, and how they are put together. Internal to onnx.h.
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace ntq {

/// TensorProto::DataType. The schema of libonnx 1.12 ends before the last two, but its field is an int32.
enum class OnnxType { f32 = 1, u8 = 2, i8 = 3, i32 = 6, i64 = 7, int4 = 22, int2 = 26 };

struct OnnxTensor {
  std::string name;
  OnnxType type = OnnxType::f32;
  std::vector<int64_t> dims;
  std::string raw;  ///< little-endian values; int4 and int2 packed, the first in the lowest bits
};

struct OnnxAttribute {
  std::string name;
  std::vector<int64_t> values;
  bool list = true;  ///< INTS; else INT
};

struct OnnxNode {
  std::string op, name;  ///< the output has the node's name, but for the last one
  std::vector<std::string> inputs;
  std::string output;
  std::vector<OnnxAttribute> attributes;
};

struct OnnxFile {
  int64_t ir = 8, opset = 13;
  std::string graph_name, input = "image", output = "logits";
  std::vector<int64_t> input_dims, output_dims;  ///< float32; without the first one, "N"
  std::vector<OnnxTensor> constants;
  std::vector<OnnxNode> nodes;
  std::vector<std::pair<std::string, std::string>> metadata;
};

/// Nodes and constants one after another, each under a name of its own.
class OnnxBuilder {
 public:
  OnnxFile file;

  /// The name of its output: "LAYER/OP", numbered where it is taken.
  std::string node(const std::string& op, const std::string& layer, std::vector<std::string> inputs,
                   std::vector<OnnxAttribute> attributes = {});
  /// The name of a constant of these bytes: `name`, or that of an equal small one that is there already.
  std::string raw(const std::string& name, OnnxType type, std::vector<int64_t> dims, std::string bytes);

  std::string floats(const std::string& name, const std::vector<float>& values, std::vector<int64_t> dims);
  std::string scalar(const std::string& name, float value) { return floats(name, {value}, {}); }
  std::string byte(const std::string& name, OnnxType type, int value) {
    return raw(name, type, {}, std::string(1, static_cast<char>(value)));
  }
  std::string int64s(const std::string& name, const std::vector<int64_t>& values);
  std::string int32s(const std::string& name, const std::vector<int32_t>& values, std::vector<int64_t> dims);

 private:
  std::string unique(const std::string& name);

  std::map<std::string, int> taken_;              ///< names, of nodes and of constants
  std::map<std::string, std::string> constants_;  ///< type, shape and bytes -> name
};

/// Attributes of one number.
inline OnnxAttribute attribute(const std::string& name, int64_t value) { return {name, {value}, false}; }

/// The file's bytes, by protobuf.
std::string serialize(const OnnxFile& file);

}  // namespace ntq
