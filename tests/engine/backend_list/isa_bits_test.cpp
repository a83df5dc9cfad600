// What is promised of a convolution's bits, and what is only so. Promised: the same for any number of threads, and near
// the definition on every instruction set (both by the list). Not promised, but measured here: AVX2 and AVX-512 give
// the same bits, forward and in both gradients. Those in bfloat16, and all else in the list, have the same bits on
// every instruction set: promised.
#include <doctest/doctest.h>

#include <cstring>

#include "engine/backend/cpu/cpu_backend.h"
#include "tests/engine/backend_list/conv.h"

using namespace ntq;
using namespace ntq::test;

namespace {

ConvGeometry square(int64_t size, int64_t in, int64_t out, int64_t kernel, int64_t stride) {
  ConvGeometry g = conv_geometry(1, size, in, out, kernel, stride, kernel / 2);
  g.in_w = size, g.out_w = g.out_h;
  return g;
}

/// ResNet-20 on CIFAR and on MNIST, its wide form, ResNet-18 and ResNet-50 at 224 pixels, with their linear layers.
std::vector<ConvGeometry> model_geometries() {
  std::vector<ConvGeometry> all = {square(32, 3, 16, 3, 1),    square(28, 1, 16, 3, 1),  square(1, 64, 10, 1, 1),
                                   square(32, 16, 160, 3, 1),  square(224, 3, 64, 7, 2), square(1, 512, 1000, 1, 1),
                                   square(1, 2048, 1000, 1, 1)};
  for (const int64_t image : {32, 28}) {
    for (const int64_t c : {16, 32, 64}) {
      const int64_t size = image * 16 / c;
      all.push_back(square(size, c, c, 3, 1));
      if (c < 64) all.push_back(square(size, c, 2 * c, 3, 2)), all.push_back(square(size, c, 2 * c, 1, 2));
    }
  }
  for (const int64_t c : {64, 128, 256, 512}) {
    const int64_t size = 56 * 64 / c;
    for (const auto& [in, out] : {std::pair{c, 4 * c}, {4 * c, c}}) all.push_back(square(size, in, out, 1, 1));
    all.push_back(square(size, c, c, 3, 1));
    if (c == 512) break;
    for (const auto& [in, out] : {std::pair{c, 2 * c}, {2 * c, 2 * c}}) all.push_back(square(size, in, out, 3, 2));
    for (const auto& [in, out] : {std::pair{c, 2 * c}, {4 * c, 8 * c}}) all.push_back(square(size, in, out, 1, 2));
    all.push_back(square(size, 4 * c, 2 * c, 1, 1));
  }
  all.push_back(square(56, 64, 64, 1, 1));
  return all;
}

/// Whether AVX2 and AVX-512 give the same bits forward, in the data gradient and in the filter gradient: "yes yes yes
/// ".
std::string same_bits(const ConvGeometry& g) {
  static const auto narrow = cpu::make_cpu_backend("avx2"), wide = cpu::make_cpu_backend("avx512");
  std::string same;
  for (const BackendCase& call : conv_calls(g)) {
    const Tensor a = outputs_of(call, *narrow)[0], b = outputs_of(call, *wide)[0];
    same += std::memcmp(a.raw(), b.raw(), a.bytes()) == 0 ? "yes " : "no ";
  }
  return same;
}

/// The first instruction set whose bits are not the portable ones, with the call; empty: none.
std::string other_bits(const BackendCases& calls) {
  static const std::vector<std::unique_ptr<cpu::CpuBackend>> backends = [] {
    std::vector<std::unique_ptr<cpu::CpuBackend>> all;
    for (const std::string& isa : cpu::available_isas(cpu::IsaList::bf16)) {
      const std::string base = cpu::all_isas(cpu::IsaList::bf16)[cpu::isa_index(isa, cpu::IsaList::bf16)].extends;
      all.push_back(
          std::make_unique<cpu::CpuBackend>(cpu::kernels_of(base.empty() ? isa : base), bf16::kernels_of(isa)));
    }
    return all;
  }();
  for (const BackendCase& call : calls) {
    const Tensor expected = outputs_of(call, *backends.front())[0];
    for (const auto& backend : backends) {
      const Tensor found = outputs_of(call, *backend)[0];
      if (std::memcmp(found.raw(), expected.raw(), expected.bytes()) != 0)
        return concat(name_of(call.primitive), " of ", call.what, " on ", backend->isa());
    }
  }
  return "";
}

bool lacks_avx512() {
  if (cpu::available_isas().back() == "avx512") return false;
  MESSAGE("skipped: this processor has no AVX-512 to compare with AVX2");
  return true;
}

}  // namespace

TEST_CASE("AVX2 and AVX-512 have the same bits for every convolution of the models") {
  if (lacks_avx512()) return;
  for (const ConvGeometry& g : model_geometries()) {
    CAPTURE(sizes_of(g));
    CHECK(same_bits(g) == "yes yes yes ");
  }
}

TEST_CASE("AVX2 and AVX-512 have the same bits for the list's convolutions and for channels around their vectors") {
  if (lacks_avx512()) return;
  std::vector<ConvGeometry> all = conv_geometries();
  for (const int64_t in : {8, 16, 24, 40, 48}) {
    for (const int64_t out : {8, 16, 24, 48}) all.push_back(conv_geometry(2, 8, in, out, 3, 1, 1));
  }
  // 8 channels fill half of a panel with AVX2 and a quarter with AVX-512; many rows are cut into parts.
  all.push_back(conv_geometry(128, 7, 8, 400, 5, 1, 2));
  for (const ConvGeometry& g : all) {
    CAPTURE(sizes_of(g));
    CHECK(same_bits(g) == "yes yes yes ");
  }
}

TEST_CASE("convolutions in bfloat16 have the same bits on every instruction set") {
  std::vector<ConvGeometry> all = {
      square(8, 16, 32, 3, 2),  square(8, 32, 16, 1, 2),  square(14, 3, 64, 7, 2),
      square(8, 64, 64, 3, 1),  square(4, 130, 48, 1, 1), square(4, 512, 40, 3, 2),
      square(1, 512, 10, 1, 1), square(7, 17, 33, 3, 2),  conv_geometry(5, 9, 3, 16, 3, 1, 1)};
  for (const ConvGeometry& g : all) CHECK(other_bits(conv_calls_bf16(g)) == "");
}
