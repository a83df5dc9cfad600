// Convolutions of codes on devices: products and sums of small whole numbers are exact in float32, and in TF32, so that
// any order of summing gives the same bits, those of the definition.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/numeric_grad.h"
#include "tests/support/reference_conv.h"
#include "tests/support/tested_devices.h"

using namespace ntq;

namespace {

/// Square images and filters, padding that keeps the size where the stride is 1.
ConvGeometry conv_of(int64_t batch, int64_t size, int64_t in, int64_t out, int64_t kernel, int64_t stride) {
  ConvGeometry g{.batch = batch, .in_h = size, .in_w = size, .in_c = in};
  g.out_c = out, g.kernel_h = g.kernel_w = kernel, g.stride = stride, g.pad = kernel / 2;
  g.out_h = g.out_w = (size + 2 * g.pad - kernel) / stride + 1;
  return g;
}

/// 4-bit codes.
Tensor codes_of(const Shape& shape, uint32_t seed, float low, float high) {
  Tensor t = test::some_values(shape, seed);
  for (int64_t i = 0; i < t.numel(); ++i) t.f32()[i] = std::clamp(std::round(t.f32()[i] * 16), low, high);
  return t;
}

int64_t differences(const Tensor& found, const std::vector<double>& expected) {
  const std::vector<float> values = found.to(Device()).to_vector();
  REQUIRE(values.size() == expected.size());
  int64_t count = 0;
  for (size_t i = 0; i < values.size(); ++i) count += double{values[i]} == expected[i] ? 0 : 1;
  return count;
}

void check_exact(Device device, const ConvGeometry& g, Products products) {
  const Tensor x = codes_of({g.batch, g.in_h, g.in_w, g.in_c}, 1, 0, 15);
  const Tensor w = codes_of({g.out_c, g.kernel_h, g.kernel_w, g.in_c}, 2, -8, 7);
  const Tensor dy = codes_of({g.batch, g.out_h, g.out_w, g.out_c}, 3, -8, 7);
  const test::ConvReference expected = test::reference_conv(g, x.f32(), w.f32(), dy.f32());
  const Tensor images = x.to(device), filters = w.to(device), outputs = dy.to(device);
  const Tensor y = Tensor::empty(dy.shape(), DType::f32, device), dx = Tensor::empty(x.shape(), DType::f32, device),
               dw = Tensor::empty(w.shape(), DType::f32, device);
  Backend& backend = backend_for(device);
  REQUIRE(backend.use_products(products));
  backend.conv2d(g, images.view(), filters.view(), y.view());
  backend.conv2d_grad_input(g, outputs.view(), filters.view(), dx.view());
  backend.conv2d_grad_weight(g, outputs.view(), images.view(), dw.view());
  backend.use_products(Products::float32);
  CAPTURE(device.str());
  CAPTURE(products == Products::tf32);
  CAPTURE(g.in_h);
  CAPTURE(g.in_c);
  CAPTURE(g.kernel_h);
  CHECK(differences(y, expected.y) == 0);
  CHECK(differences(dx, expected.dx) == 0);
  CHECK(differences(dw, expected.dw) == 0);
}

}  // namespace

TEST_CASE("devices: convolutions of whole numbers are exact, in float32 and in TF32") {
  // None that the CPU, and so the emulated device, computes by Winograd's transform.
  const ConvGeometry small[] = {conv_of(2, 8, 15, 17, 3, 1), conv_of(2, 9, 5, 7, 3, 2), conv_of(3, 8, 8, 12, 1, 2),
                                conv_of(5, 1, 100, 10, 1, 1)};
  // Of networks, where a GPU is named: other engines compute them.
  const ConvGeometry large[] = {conv_of(8, 32, 3, 64, 3, 1),    conv_of(8, 32, 64, 64, 3, 1),
                                conv_of(8, 32, 64, 128, 3, 2),  conv_of(8, 16, 128, 128, 3, 1),
                                conv_of(8, 16, 128, 256, 1, 2), conv_of(8, 8, 256, 256, 3, 1),
                                conv_of(8, 4, 512, 512, 3, 1),  conv_of(128, 1, 512, 100, 1, 1),
                                conv_of(2, 224, 3, 64, 7, 2),   conv_of(2, 56, 64, 256, 1, 1)};
  for (const Products products : {Products::float32, Products::tf32}) {
    for (const Device device : test::tested_devices()) {
      for (const ConvGeometry& g : small) check_exact(device, g, products);
    }
    for (const Device device : test::named_devices()) {
      if (device.family() == "emulated") continue;  // by Winograd's transform
      for (const ConvGeometry& g : large) check_exact(device, g, products);
    }
  }
}

TEST_CASE("devices: products of float32 are that, unless TF32 is asked for, which the CPU does not have") {
  // 1 + 2^-12 is 1 in 11 bits; a GPU may multiply it as it is.
  const ConvGeometry g = conv_of(1, 1, 8, 8, 1, 1);
  const auto product_on = [&](Device device) {
    const Tensor x = Tensor::full({1, 1, 1, 8}, 1 + std::ldexp(1.0f, -12)).to(device);
    const Tensor w = Tensor::full({8, 1, 1, 8}, 0.125f).to(device);
    const Tensor y = Tensor::empty({1, 1, 1, 8}, DType::f32, device);
    backend_for(device).conv2d(g, x.view(), w.view(), y.view());
    return y.to(Device()).to_vector()[0];
  };
  CHECK_FALSE(backend_for(Device()).use_products(Products::tf32));
  CHECK(backend_for(Device()).products() == Products::float32);
  for (const Device device : test::tested_devices()) {
    CAPTURE(device.str());
    Backend& backend = backend_for(device);
    CHECK(product_on(device) == 1 + std::ldexp(1.0f, -12));
    CHECK(backend.use_products(Products::tf32));
    CHECK(backend.products() == Products::tf32);
    const float found = product_on(device);
    CHECK((found == 1 || (device.family() == "cuda" && found == 1 + std::ldexp(1.0f, -12))));
    CHECK(backend.use_products(Products::float32));
    CHECK(product_on(device) == 1 + std::ldexp(1.0f, -12));
  }
}
