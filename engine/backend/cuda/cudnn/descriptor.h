#pragma once
// Descriptors of cuDNN's backend API: typed attributes, released on their own, errors with cuDNN's own words.
#include <cudnn_graph.h>

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace ntq::cudnn {

/// What cuDNN refused and why: its status and the last words it had, which name the attribute or the engine at fault.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A variable of the environment is wrong, or the file that it names.
class SettingError : public Error {
 public:
  using Error::Error;
};

/// Throws Error, "DOING: STATUS (last words)", unless the call succeeded.
void require(cudnnStatus_t status, const std::string& doing);
/// "9.19.0", of the library in use; and of a number as cudnnGetVersion() has it.
std::string version();
std::string version_text(size_t number);

/// The attribute type of each C++ type that attributes are made of.
template <class T>
constexpr cudnnBackendAttributeType_t attribute_type() {
  if constexpr (std::is_same_v<T, int64_t>) return CUDNN_TYPE_INT64;
  if constexpr (std::is_same_v<T, float>) return CUDNN_TYPE_FLOAT;
  if constexpr (std::is_same_v<T, char>) return CUDNN_TYPE_CHAR;
  if constexpr (std::is_same_v<T, void*>) return CUDNN_TYPE_VOID_PTR;
  if constexpr (std::is_same_v<T, cudnnHandle_t>) return CUDNN_TYPE_HANDLE;
  if constexpr (std::is_same_v<T, cudnnDataType_t>) return CUDNN_TYPE_DATA_TYPE;
  if constexpr (std::is_same_v<T, cudnnConvolutionMode_t>) return CUDNN_TYPE_CONVOLUTION_MODE;
  if constexpr (std::is_same_v<T, cudnnBackendHeurMode_t>) return CUDNN_TYPE_HEUR_MODE;
  if constexpr (std::is_same_v<T, cudnnBackendKnobType_t>) return CUDNN_TYPE_KNOB_TYPE;
  if constexpr (std::is_same_v<T, cudnnBackendNumericalNote_t>) return CUDNN_TYPE_NUMERICAL_NOTE;
  if constexpr (std::is_same_v<T, cudnnBackendBehaviorNote_t>) return CUDNN_TYPE_BEHAVIOR_NOTE;
}

class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type);
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : raw_(other.raw_) { other.raw_ = nullptr; }
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }
  cudnnBackendDescriptor_t raw() const { return raw_; }

  template <class T>
  Descriptor& set(cudnnBackendAttributeName_t name, std::span<const T> values) {
    set_raw(name, attribute_type<T>(), static_cast<int64_t>(values.size()), values.data());
    return *this;
  }
  template <class T>
  Descriptor& set(cudnnBackendAttributeName_t name, const T& value) {
    return set(name, std::span<const T>(&value, 1));
  }
  template <class T>
  Descriptor& set(cudnnBackendAttributeName_t name, const std::vector<T>& values) {
    return set(name, std::span<const T>(values));
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const Descriptor& value) {
    set_raw(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value.raw_);  // by type a void*, as data pointers are
    return *this;
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const std::vector<Descriptor>& values) {
    std::vector<cudnnBackendDescriptor_t> raw;
    for (const Descriptor& each : values) raw.push_back(each.raw_);
    set_raw(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<int64_t>(raw.size()), raw.data());
    return *this;
  }
  /// No attribute is set any more.
  Descriptor& finalize();
  /// As finalize(), for what may be refused.
  cudnnStatus_t try_finalize() { return cudnnBackendFinalize(raw_); }

  /// An attribute of any number of values.
  template <class T>
  std::vector<T> all(cudnnBackendAttributeName_t name) const {
    std::vector<T> values(static_cast<size_t>(get_raw(name, attribute_type<T>(), 0, nullptr)));
    const int64_t count = static_cast<int64_t>(values.size());
    if (count > 0) values.resize(static_cast<size_t>(get_raw(name, attribute_type<T>(), count, values.data())));
    return values;
  }
  int64_t number(cudnnBackendAttributeName_t name) const;
  /// An attribute that is one descriptor, or several, of a type: at most `room`, or as many as cuDNN says there are.
  std::vector<Descriptor> parts(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type,
                                int64_t room = -1) const;

 private:
  void set_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count, const void* values);
  int64_t get_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t room, void* to) const;

  cudnnBackendDescriptor_t raw_ = nullptr;
};

}  // namespace ntq::cudnn
