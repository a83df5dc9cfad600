// Convolutions of codes, direct and by the integer Winograd: billions of operations per second by the direct count, and
// the share of what the machine's dot products of bytes can do, measured in the same run. One thread; the fastest of
// many runs, since the machine may be shared.
//   taskset -c 0 int_conv_bench [--filter 64@] [--act-bits 4 --weight-bits 4] [--seconds 0.2]    NTQ_CPU_ISA applies
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "base/integer/kernels/kernels.h"
#include "base/integer/pack.h"
#include "base/isa.h"
#include "base/limits.h"

namespace ntq::bench {
namespace {

struct Shape {
  int64_t size, in, out, kernel, stride, images;
};

// CIFAR ResNet-18 and ResNet-20, ImageNet ResNet-18 and ResNet-50, at batches 1 and more.
constexpr Shape kShapes[] = {
    {32, 64, 64, 3, 1, 16},   {32, 64, 64, 3, 1, 1},   {16, 128, 128, 3, 1, 16}, {16, 128, 128, 3, 1, 1},
    {8, 256, 256, 3, 1, 16},  {8, 256, 256, 3, 1, 1},  {4, 512, 512, 3, 1, 16},  {4, 512, 512, 3, 1, 1},
    {32, 16, 16, 3, 1, 32},   {16, 32, 32, 3, 1, 32},  {8, 64, 64, 3, 1, 32},    {56, 64, 64, 3, 1, 8},
    {28, 128, 128, 3, 1, 8},  {14, 256, 256, 3, 1, 8}, {7, 512, 512, 3, 1, 8},   {7, 512, 512, 3, 1, 1},
    {32, 64, 128, 3, 2, 16},  {8, 256, 512, 3, 2, 16}, {32, 64, 128, 1, 2, 16},  {56, 64, 64, 1, 1, 8},
    {56, 64, 256, 1, 1, 8},   {56, 256, 64, 1, 1, 8},  {28, 512, 128, 1, 1, 8},  {14, 256, 1024, 1, 1, 8},
    {14, 1024, 256, 1, 1, 8}, {7, 512, 2048, 1, 1, 8}, {7, 2048, 512, 1, 1, 1},  {1, 2048, 1000, 1, 1, 8},
    {32, 4, 64, 3, 1, 16},    {224, 4, 64, 7, 2, 1},
};

struct Options {
  std::string filter;
  int act_bits = 4, weight_bits = 4;
  double seconds = 0.2;
  bool skip = false;
};

std::string name_of(const Shape& s) {
  std::string text = std::to_string(s.in);
  if (s.out != s.in) text += ">" + std::to_string(s.out);
  text += "@" + std::to_string(s.size) + " k" + std::to_string(s.kernel);
  if (s.stride > 1) text += "/" + std::to_string(s.stride);
  return text + " x" + std::to_string(s.images);
}

/// Seconds of the fastest run.
template <class Run>
double fastest(double seconds, const Run& run) {
  using Clock = std::chrono::steady_clock;
  double best = 1e9;
  for (const auto end = Clock::now() + std::chrono::duration<double>(seconds); Clock::now() < end;) {
    const auto start = Clock::now();
    run();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

void measure(const Shape& shape, const Options& o, double limit) {
  const int64_t pad = shape.kernel / 2, out = (shape.size + 2 * pad - shape.kernel) / shape.stride + 1;
  const integer::ConvShape s{.in_h = shape.size,
                             .in_w = shape.size,
                             .in_c = shape.in,
                             .out_h = out,
                             .out_w = out,
                             .out_c = shape.out,
                             .kernel_h = shape.kernel,
                             .kernel_w = shape.kernel,
                             .stride = shape.stride,
                             .pad = pad};
  const integer::CodeBounds bounds{.x_top = (1 << o.act_bits) - 1, .w_top = 1 << (o.weight_bits - 1)};
  const auto taps = shape.kernel * shape.kernel * shape.in, outputs = shape.images * out * out * shape.out;
  std::vector<int8_t> w(static_cast<size_t>(shape.out * taps));
  std::vector<uint8_t> x(static_cast<size_t>(shape.images * shape.size * shape.size * shape.in));
  for (size_t i = 0; i < w.size(); ++i)
    w[i] = static_cast<int8_t>(static_cast<int>(i * 7 % (2 * bounds.w_top)) - bounds.w_top);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint8_t>(i * 5 % (bounds.x_top + 1));
  const std::vector<float> scale(static_cast<size_t>(shape.out + integer::kPanel), 0.01f), shift(scale.size(), 0.3f);
  std::vector<float> skip(static_cast<size_t>(o.skip ? outputs : 0), 0.5f), y(skip.size());
  std::vector<uint8_t> codes(static_cast<size_t>(outputs));
  const integer::Kernels& kernels = integer::chosen_kernels();
  const integer::AlignedBytes scratch(integer::winograd_scratch(s));
  const double giga = 2e-9 * static_cast<double>(outputs * taps);
  double gops[2] = {};
  for (const bool winograd : {false, true}) {
    if (winograd && !integer::uses_winograd(s, bounds)) continue;
    const integer::PackedWeights packed =
        winograd ? integer::pack_winograd(s, bounds, w) : integer::pack_direct(s, bounds, w);
    integer::Conv c{.shape = s,
                    .x = x.data(),
                    .weights = reinterpret_cast<const int8_t*>(packed.weights.data()),
                    .start = packed.start.empty() ? nullptr : packed.start.data(),
                    .x_top = bounds.x_top,
                    .w_top = bounds.w_top};
    c.epilogue = {.scale = scale.data(), .shift = shift.data(), .relu = true, .codes = codes.data()};
    c.epilogue.grid = {.step = 0.37f, .low = 0, .high = bounds.x_top};
    if (o.skip) c.epilogue.skip = skip.data(), c.epilogue.y = y.data();
    const integer::Part part = integer::whole_work(s, shape.images);
    gops[winograd] = giga / fastest(o.seconds, [&] {
                       winograd ? kernels.winograd(c, part, scratch.data()) : kernels.conv(c, part);
                     });
  }
  std::printf("%-22s %7.0f %5.0f%%", name_of(shape).c_str(), gops[0], 100 * gops[0] / limit);
  if (gops[1] > 0) std::printf(" %9.0f %5.2f", gops[1], gops[1] / gops[0]);
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace
}  // namespace ntq::bench

int main(int argc, char** argv) {
  using namespace ntq::bench;
  Options o;
  CLI::App app("Integer convolutions: GOP/s and share of the machine's limit");
  app.add_option("--filter", o.filter, "only shapes whose name has this");
  app.add_option("--act-bits", o.act_bits)->check(CLI::Range(2, 8));
  app.add_option("--weight-bits", o.weight_bits)->check(CLI::Range(2, 8));
  app.add_option("--seconds", o.seconds, "for each measurement");
  app.add_flag("--skip", o.skip, "with a skip, and float32 stored too");
  CLI11_PARSE(app, argc, argv);
  const std::string isa = ntq::cpu::chosen_isa(ntq::cpu::IsaList::integers);
  const double limit = ntq::machine_limit(ntq::Limit::byte_dot, isa, 1);
  std::printf("%s, A%d W%d; limit of dot products %.0f GOP/s\n%-22s %7s %6s %9s %5s\n", isa.c_str(), o.act_bits,
              o.weight_bits, limit, "shape, images", "direct", "share", "Winograd", "ratio");
  for (const Shape& s : kShapes) {
    if (name_of(s).find(o.filter) != std::string::npos) measure(s, o, limit);
  }
}
