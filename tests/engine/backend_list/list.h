#pragma once
// One list of calls that every backend has to answer alike: the CPU with each instruction set of this processor, and
// every device that is registered. To add an op: one entry in its family's file. To add a backend: nothing.
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/tensor.h"

namespace ntq::test {

using Inputs = std::vector<ConstView>;
using Outputs = std::vector<View>;

/// One call of a primitive. Sizes belong below, at, between and above the widths of vectors, panels and tiles.
struct BackendCase {
  Primitive primitive;
  std::string what;             ///< sizes and choices, for messages
  std::vector<Tensor> inputs;   ///< on the host; must not be written
  std::vector<Tensor> outputs;  ///< what they hold before the call
  std::function<void(Backend&, const Inputs&, const Outputs&)> call;
  double tolerance = 0;  ///< share of an output's largest value; 0, and `relative` 0: the same values
  double relative = 0;   ///< share of each value itself, on top
  /// What decides, in float64; empty: the portable kernels.
  std::function<std::vector<Tensor>()> expected = {};
  DType type = DType::f32;  ///< that the backend is asked for
  /// Asked of the CPU for the bits of the portable kernels, also where something else decides.
  bool to_the_bit = false;
};
using BackendCases = std::vector<BackendCase>;

struct NamedBackend {
  std::string name;  ///< "cpu:avx2"
  Backend* backend;
  /// Asked for the bits of the portable kernels, whatever the tolerance, where no definition decides: the CPU.
  bool to_the_bit = false;
};
/// All known_devices(), the portable kernels first.
const std::vector<NamedBackend>& all_backends();

struct ListReport {
  int64_t ran = 0;                         ///< cases times backends
  std::map<std::string, int64_t> skipped;  ///< "cpu:avx2 has no conv2d" -> cases
};
/// Checks each case on each backend: agreement with what decides; memory around the outputs, and the inputs, as they
/// were; the same bits for any number of threads, in any order of a GPU's, and at any place in memory. Prints what was
/// skipped.
ListReport run_list(const BackendCases& cases, const std::vector<NamedBackend>& backends = all_backends());

/// What of that is not so for one backend; empty: nothing.
std::string wrong_in(const BackendCase& one, const std::vector<Tensor>& expected, Backend& backend);

/// Calls check(backend) for each that has the primitive, and prints those that do not: for what is not an agreement.
void each_backend(Primitive primitive, const std::function<void(Backend&)>& check);

/// The outputs of a case, on the host.
std::vector<Tensor> outputs_of(const BackendCase& one, Backend& backend);

/// The name in backend.h; "" behind the last one.
std::string name_of(Primitive primitive);

// The families, one file each.
BackendCases elementwise_cases();
BackendCases reduction_cases();
BackendCases conv_cases();
BackendCases conv_type_cases();
BackendCases conv_codes_cases();
BackendCases norm_cases();
BackendCases pool_cases();
BackendCases loss_cases();
BackendCases quantize_cases();
BackendCases look_up_cases();
BackendCases optimizer_cases();
BackendCases bf16_cases();

struct Family {
  const char* name;
  BackendCases (*cases)();
};
extern const std::vector<Family> kFamilies;

// What entries are made of.
/// The call of a primitive with these first arguments, then the views: inputs and outputs, each in their order.
template <class Base, class... Parameters, class... First>
auto call_of(void (Base::*primitive)(Parameters...), First... first) {
  return [=](Backend& backend, const Inputs& in, const Outputs& out) {
    size_t inputs = 0, outputs = 0;
    const auto next = [&]<class T>(std::type_identity<T>) -> T {
      if constexpr (std::is_same_v<T, View>)
        return out.at(outputs++);
      else
        return in.at(inputs++);
    };
    constexpr size_t kFirst = sizeof...(First);
    [&]<size_t... I>(std::index_sequence<I...>) {
      // Braces: from left to right.
      const std::tuple views{
          next(std::type_identity<std::tuple_element_t<kFirst + I, std::tuple<Parameters...>>>())...};
      (backend.*primitive)(first..., std::get<I>(views)...);
    }
    (std::make_index_sequence<sizeof...(Parameters) - kFirst>());
  };
}
/// An output of n values, which no call leaves as they are.
inline Tensor output(int64_t n, DType type = DType::f32) {
  Tensor y = Tensor::empty({n}, type);
  auto* bytes = static_cast<unsigned char*>(y.raw());
  std::fill(bytes, bytes + y.bytes(), static_cast<unsigned char>(0xc1));
  return y;
}
/// Values in [-1, 1], of which every seventh is infinite or not a number.
Tensor wild_values(int64_t n, uint32_t seed);
/// Around vectors of 4, 8 and 16 floats and blocks of them, and beyond what one thread takes.
inline const std::vector<int64_t> kLengths = {0,  1,  3,  4,  5,  7,  8,  9,   15,  16,  17,
                                              31, 32, 33, 47, 48, 63, 65, 255, 256, 257, 70001};

}  // namespace ntq::test
