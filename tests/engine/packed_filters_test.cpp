// Filters packed ahead give what the filters give, to the bit.
#include <doctest/doctest.h>

#include <string>

#include "engine/backend/registry.h"
#include "engine/ops/binary.h"
#include "engine/ops/cast.h"
#include "tests/engine/backend_list/conv.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

namespace ntq::test {

TEST_CASE("packed filters give the product and the data gradient of the filters, scaled ones those of scale * w") {
  const Tensor scale = Tensor::from({1}, {0.37f});
  for (const ConvGeometry& g : {conv_geometry(2, 8, 16, 48, 3, 1, 1),  // Winograd, a panel that is not full
                                conv_geometry(2, 9, 20, 33, 3, 2, 1),  // classes of pixels
                                conv_geometry(3, 5, 24, 40, 1, 1, 0),  // one line
                                conv_geometry(2, 6, 16, 32, 1, 2, 0),  // pixels that see no tap
                                conv_geometry(2, 12, 3, 18, 3, 1, 1),  // few channels
                                conv_geometry(1, 14, 3, 16, 7, 2, 3)}) {
    for (const char* device : {"cpu", "cpu:portable"}) {
      CAPTURE(device);
      CAPTURE(g.in_c);
      CAPTURE(g.kernel_h);
      CAPTURE(g.stride);
      Backend& backend = backend_for(Device(device));
      const Tensor w = some_values({g.out_c, g.kernel_h, g.kernel_w, g.in_c}, 1), scaled = mul(w, scale);
      for (const ConvPass pass : {ConvPass::forward, ConvPass::grad_input}) {
        const bool forward = pass == ConvPass::forward;
        const Shape x{g.batch, g.in_h, g.in_w, g.in_c}, y{g.batch, g.out_h, g.out_w, g.out_c};
        const Tensor in = cast(some_values(forward ? x : y, 2), DType::bf16);
        const auto product = [&](const Tensor& filters) {
          Tensor out = Tensor::empty(forward ? y : x, DType::bf16);
          if (forward) {
            backend.conv2d(g, in.view(), filters.view(), out.view());
          } else {
            backend.conv2d_grad_input(g, in.view(), filters.view(), out.view());
          }
          return out;
        };
        const int64_t size = backend.packed_filters(g, pass, DType::bf16);
        REQUIRE(size > 0);
        const Tensor packed = Tensor::empty({size}, DType::bf16);
        backend.pack_filters(g, pass, w.view(), {}, packed.view());
        CHECK(same_values(product(packed), product(w)));
        backend.pack_filters(g, pass, w.view(), scale.view(), packed.view());
        CHECK(same_values(product(packed), product(scaled)));
        CHECK(backend.packed_filters(g, pass, DType::f32) == 0);
      }
      CHECK(backend.packed_filters(g, ConvPass::grad_weight, DType::bf16) == 0);
    }
  }
}

TEST_CASE("packed filters of another product are refused") {
  const ConvGeometry g = conv_geometry(2, 8, 16, 48, 3, 1, 1);
  Backend& backend = backend_for(Device());
  const Tensor x = cast(some_values({2, 8, 8, 16}, 1), DType::bf16), y = Tensor::empty({2, 8, 8, 48}, DType::bf16);
  const Tensor packed = Tensor::zeros({100}, DType::bf16);
  CHECK_THROWS_AS(backend.conv2d(g, x.view(), packed.view(), y.view()), std::invalid_argument);
}

}  // namespace ntq::test
