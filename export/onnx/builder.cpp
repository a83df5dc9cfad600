#include "export/onnx/file.h"

namespace ntq {
namespace {

constexpr size_t kSmall = 64;  // bytes: steps, zero points and axes repeat, weights do not

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

}  // namespace

std::string OnnxBuilder::unique(const std::string& name) {
  const int before = taken_[name]++;
  return before == 0 ? name : name + "_" + std::to_string(before + 1);
}

std::string OnnxBuilder::node(const std::string& op, const std::string& layer, std::vector<std::string> inputs,
                              std::vector<OnnxAttribute> attributes) {
  const std::string name = unique(layer + "/" + op);
  file.nodes.push_back({op, name, std::move(inputs), name, std::move(attributes)});
  return name;
}

std::string OnnxBuilder::raw(const std::string& name, OnnxType type, std::vector<int64_t> dims, std::string bytes) {
  std::string key;
  if (bytes.size() <= kSmall) {
    key = std::to_string(static_cast<int>(type)) + ":" + bytes_of(dims) + ":" + bytes;
    if (const auto found = constants_.find(key); found != constants_.end()) return found->second;
  }
  const std::string own = unique(name);
  if (!key.empty()) constants_[key] = own;
  file.constants.push_back({own, type, std::move(dims), std::move(bytes)});
  return own;
}

std::string OnnxBuilder::floats(const std::string& name, const std::vector<float>& values, std::vector<int64_t> dims) {
  return raw(name, OnnxType::f32, std::move(dims), bytes_of(values));
}

std::string OnnxBuilder::int64s(const std::string& name, const std::vector<int64_t>& values) {
  return raw(name, OnnxType::i64, {static_cast<int64_t>(values.size())}, bytes_of(values));
}

std::string OnnxBuilder::int32s(const std::string& name, const std::vector<int32_t>& values,
                                std::vector<int64_t> dims) {
  return raw(name, OnnxType::i32, std::move(dims), bytes_of(values));
}

}  // namespace ntq
