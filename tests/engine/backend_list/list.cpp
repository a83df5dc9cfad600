#include "tests/engine/backend_list/list.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "engine/backend/cpu_settings.h"
#include "engine/ops/cast.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/tested_devices.h"

namespace ntq::test {
namespace {

/// Device memory with the contents of a host tensor, and bytes around it that nobody may touch.
class Guarded {
 public:
  Guarded(Backend& backend, const Tensor& host, size_t offset)
      : backend_(backend), host_(host), before_(kGuard + offset), bytes_(before_ + host.bytes() + kGuard, kMark) {
    std::memcpy(bytes_.data() + before_, host.raw(), host.bytes());
    memory_ = backend.allocate(bytes_.size(), MemoryKind::device);
    backend.copy(memory_, bytes_.data(), bytes_.size(), CopyKind::to_device);
  }
  ~Guarded() { backend_.release(memory_, bytes_.size(), MemoryKind::device); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  View view() const { return {static_cast<char*>(memory_) + before_, host_.dtype(), host_.numel()}; }

  /// Asks for all bytes, which are there when the backend has been waited for.
  void fetch() {
    now_.resize(bytes_.size());
    backend_.copy(now_.data(), memory_, now_.size(), CopyKind::to_host);
  }
  Tensor contents() const {
    Tensor out = Tensor::empty(host_.shape(), host_.dtype());
    std::memcpy(out.raw(), now_.data() + before_, out.bytes());
    return out;
  }
  bool unharmed_around() const {
    const size_t end = before_ + host_.bytes();
    return std::memcmp(now_.data(), bytes_.data(), before_) == 0 &&
           std::memcmp(now_.data() + end, bytes_.data() + end, now_.size() - end) == 0;
  }
  bool unharmed() const { return now_ == bytes_; }

 private:
  static constexpr size_t kGuard = 256;
  static constexpr unsigned char kMark = 0xa5;
  Backend& backend_;
  Tensor host_;
  size_t before_;
  std::vector<unsigned char> bytes_, now_;
  void* memory_;
};

/// `offset`: bytes by which the memory is off its alignment.
std::vector<Tensor> guarded_run(const BackendCase& one, Backend& backend, size_t offset, bool& unharmed) {
  std::vector<std::unique_ptr<Guarded>> in, out;
  Inputs inputs;
  Outputs outputs;
  for (const Tensor& t : one.inputs) in.push_back(std::make_unique<Guarded>(backend, t, offset));
  for (const Tensor& t : one.outputs) out.push_back(std::make_unique<Guarded>(backend, t, offset));
  for (const auto& memory : in) inputs.push_back(memory->view());
  for (const auto& memory : out) outputs.push_back(memory->view());
  one.call(backend, inputs, outputs);
  for (const auto& memory : in) memory->fetch();
  for (const auto& memory : out) memory->fetch();
  backend.synchronize();
  std::vector<Tensor> found;
  for (const auto& memory : in) unharmed = unharmed && memory->unharmed();
  for (const auto& memory : out) {
    unharmed = unharmed && memory->unharmed_around();
    found.push_back(memory->contents());
  }
  return found;
}

std::vector<double> values_of(const Tensor& t) {
  const auto all = [&]<class T>(const T* values) { return std::vector<double>(values, values + t.numel()); };
  switch (t.dtype()) {
    case DType::f32: return all(t.f32());
    case DType::f64: return all(t.data<double>());
    case DType::bf16: return all(cast(t, DType::f32).f32());
    case DType::i32: return all(t.data<int32_t>());
    case DType::i8: return all(t.data<int8_t>());
    case DType::u8: return all(t.data<uint8_t>());
    case DType::i64: return all(t.data<int64_t>());
    default: FAIL("no output has this type"); return {};
  }
}

/// The first value that differs by more than the case allows; nothing when all agree.
std::string difference(const BackendCase& one, const Tensor& found, const Tensor& expected) {
  if (found.numel() != expected.numel()) return "another size";
  if (found.dtype() == expected.dtype() && std::memcmp(found.raw(), expected.raw(), found.bytes()) == 0) return "";
  const bool exact = one.tolerance == 0 && one.relative == 0;
  const std::vector<double> is = values_of(found), wanted = values_of(expected);
  double largest = 0;
  for (const double value : wanted) {
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  }
  for (size_t i = 0; i < wanted.size(); ++i) {
    const double a = is[i], b = wanted[i];
    if (std::isnan(a) && std::isnan(b)) continue;
    const double slack =
        one.tolerance * largest + one.relative * std::abs(b) + (one.relative > 0 ? 1.7e-38 : 0);  // as exp gives 0
    const bool good = exact || !std::isfinite(b) ? a == b : std::abs(a - b) <= slack;
    if (!good) return concat("element ", i, " is ", a, ", expected ", b, ", largest ", largest);
  }
  return "";
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

/// The same of two instruction sets, where what is no number counts as such: which operand's bits are passed on is the
/// compiler's choice, for each of them.
bool same_numbers(const Tensor& a, const Tensor& b) {
  if (same_bits(a, b)) return true;
  if (a.dtype() == DType::bf16) return same_numbers(cast(a, DType::f32), cast(b, DType::f32));
  const auto same = [](float x, float y) {
    return std::bit_cast<uint32_t>(x) == std::bit_cast<uint32_t>(y) || (std::isnan(x) && std::isnan(y));
  };
  return a.dtype() == DType::f32 && std::equal(a.f32(), a.f32() + a.numel(), b.f32(), b.f32() + b.numel(), same);
}

bool all_of(const std::vector<Tensor>& a, const std::vector<Tensor>& b, bool (*same)(const Tensor&, const Tensor&)) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

struct CpuThreads {
  explicit CpuThreads(int threads) : before(cpu_threads()) { set_cpu_threads(threads); }
  ~CpuThreads() { set_cpu_threads(before); }
  int before;
};

/// The emulated device's threads and blocks in the other order.
struct OtherOrder {
  explicit OtherOrder(bool other) { setenv("NTQ_EMULATED_ORDER", other ? "reversed" : "forward", 1); }
  ~OtherOrder() { unsetenv("NTQ_EMULATED_ORDER"); }
};

/// What is wrong of one backend's answers, "" nothing, and the first of them.
struct Answers {
  std::string wrong;
  std::vector<Tensor> outputs;
};

Answers answers_of(const BackendCase& one, const std::vector<Tensor>& expected, Backend& backend) {
  Answers out;
  for (const int threads : {1, 2, 5}) {
    if (threads == 5 && !backend.host_memory()) break;  // they are the CPU's affair
    const CpuThreads use(threads);
    const OtherOrder order(threads == 2);
    bool unharmed = true;
    const std::vector<Tensor> found = guarded_run(one, backend, threads == 2 ? 8 : 0, unharmed);
    if (threads == 1) out.outputs = found;
    if (!unharmed) out.wrong = "inputs or memory around outputs were written";
    if (!all_of(found, out.outputs, same_bits)) out.wrong = concat("other bits with ", threads, " threads");
  }
  for (size_t k = 0; k < expected.size() && out.wrong.empty(); ++k) {
    const std::string wrong = difference(one, out.outputs[k], expected[k]);
    if (!wrong.empty()) out.wrong = concat("output ", k, ": ", wrong);
  }
  return out;
}

std::string lack_of(const NamedBackend& named, Primitive primitive, DType type = DType::f32) {
  return concat(named.name, " has no ", name_of(primitive), type == DType::f32 ? "" : concat(" of ", dtype_name(type)));
}

}  // namespace

const std::vector<NamedBackend>& all_backends() {
  static const std::vector<NamedBackend> list = [] {
    std::vector<NamedBackend> all;
    tested_devices();  // loads their backends
    for (const Device device : known_devices()) {
      all.push_back({device.str(), &backend_for(device), device.family() == "cpu"});
    }
    return all;
  }();
  return list;
}

std::vector<Tensor> outputs_of(const BackendCase& one, Backend& backend) {
  bool unharmed = true;
  return guarded_run(one, backend, 0, unharmed);
}

std::string wrong_in(const BackendCase& one, const std::vector<Tensor>& expected, Backend& backend) {
  return answers_of(one, expected, backend).wrong;
}

ListReport run_list(const BackendCases& cases, const std::vector<NamedBackend>& backends) {
  ListReport report;
  for (const BackendCase& one : cases) {
    CAPTURE(name_of(one.primitive));
    CAPTURE(one.what);
    const std::vector<Tensor> expected =
        one.expected ? one.expected() : outputs_of(one, *all_backends().front().backend);
    const std::vector<Tensor> portable =
        one.to_the_bit ? outputs_of(one, *all_backends().front().backend) : std::vector<Tensor>();
    for (const NamedBackend& named : backends) {
      if (!named.backend->supports(one.primitive, one.type)) {
        ++report.skipped[lack_of(named, one.primitive, one.type)];
        continue;
      }
      CAPTURE(named.name);
      const Answers answers = answers_of(one, expected, *named.backend);
      CHECK_MESSAGE(answers.wrong.empty(), answers.wrong);
      if (named.to_the_bit && !one.expected) CHECK(all_of(answers.outputs, expected, same_numbers));
      if (named.to_the_bit && one.to_the_bit) CHECK(all_of(answers.outputs, portable, same_numbers));
      ++report.ran;
    }
  }
  for (const auto& [lack, count] : report.skipped) MESSAGE("skipped: ", lack, " (", count, " cases)");
  return report;
}

void each_backend(Primitive primitive, const std::function<void(Backend&)>& check) {
  for (const NamedBackend& named : all_backends()) {
    CAPTURE(named.name);
    if (named.backend->supports(primitive, DType::f32)) {
      check(*named.backend);
    } else {
      MESSAGE("skipped: ", lack_of(named, primitive));
    }
  }
}

Tensor wild_values(int64_t n, uint32_t seed) {
  Tensor x = some_values({n}, seed);
  const float wild[] = {INFINITY, -INFINITY, std::nanf(""), -0.0f, 3.4e38f};
  for (int64_t i = 0; i < n; i += 7) x.f32()[i] = wild[(i / 7 + seed) % 5];
  return x;
}

std::string name_of(Primitive primitive) {
  switch (primitive) {
    case Primitive::fill: return "fill";
    case Primitive::cast: return "cast";
    case Primitive::unary: return "unary";
    case Primitive::binary: return "binary";
    case Primitive::binary_along: return "binary_along";
    case Primitive::where: return "where";
    case Primitive::fold: return "fold";
    case Primitive::sum: return "sum";
    case Primitive::scale: return "scale";
    case Primitive::axpy: return "axpy";
    case Primitive::relu: return "relu";
    case Primitive::relu_grad: return "relu_grad";
    case Primitive::sum_rows: return "sum_rows";
    case Primitive::spread: return "spread";
    case Primitive::sum_abs: return "sum_abs";
    case Primitive::all_finite: return "all_finite";
    case Primitive::conv2d: return "conv2d";
    case Primitive::conv2d_grad_input: return "conv2d_grad_input";
    case Primitive::conv2d_grad_weight: return "conv2d_grad_weight";
    case Primitive::conv2d_codes: return "conv2d_codes";
    case Primitive::batch_norm_stats: return "batch_norm_stats";
    case Primitive::inverse_std: return "inverse_std";
    case Primitive::batch_norm_apply: return "batch_norm_apply";
    case Primitive::batch_norm_grad: return "batch_norm_grad";
    case Primitive::batch_norm_codes: return "batch_norm_codes";
    case Primitive::batch_norm_codes_grad: return "batch_norm_codes_grad";
    case Primitive::max_pool: return "max_pool";
    case Primitive::max_pool_grad: return "max_pool_grad";
    case Primitive::avg_pool: return "avg_pool";
    case Primitive::avg_pool_grad: return "avg_pool_grad";
    case Primitive::subsample: return "subsample";
    case Primitive::subsample_grad: return "subsample_grad";
    case Primitive::crop_images: return "crop_images";
    case Primitive::softmax_cross_entropy: return "softmax_cross_entropy";
    case Primitive::count_correct: return "count_correct";
    case Primitive::quantize: return "quantize";
    case Primitive::quantize_grad: return "quantize_grad";
    case Primitive::quantize_codes: return "quantize_codes";
    case Primitive::decode_codes: return "decode_codes";
    case Primitive::quantize_error: return "quantize_error";
    case Primitive::look_up: return "look_up";
    case Primitive::look_up_grad: return "look_up_grad";
    case Primitive::basis_levels: return "basis_levels";
    case Primitive::basis_fit: return "basis_fit";
    case Primitive::companding: return "companding";
    case Primitive::companding_grad: return "companding_grad";
    case Primitive::sgd_step: return "sgd_step";
    case Primitive::adam_step: return "adam_step";
  }
  return "";
}

}  // namespace ntq::test
