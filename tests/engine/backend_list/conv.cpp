// Convolutions against the definition in float64. A direct sum stays within 5e-6 of the largest value; Winograd's
// transforms, which 3x3 convolutions may go through, 2e-5 to 5e-5 by the number of channels (docs/architecture.md,
// "Decisions").
#include <algorithm>
#include <memory>

#include "tests/engine/backend_list/conv.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/reference_conv.h"

namespace ntq::test {
namespace {

bool may_be_winograd(const ConvGeometry& g) {
  return g.kernel_h == 3 && g.kernel_w == 3 && g.stride == 1 && g.pad == 1 && std::min(g.in_c, g.out_c) >= 16;
}

std::vector<Tensor> as_tensor(const std::vector<double>& values) {
  return {Tensor::from({static_cast<int64_t>(values.size())}, std::span<const double>(values))};
}

}  // namespace

std::string sizes_of(const ConvGeometry& g) {
  return concat(g.batch, "x", g.in_h, "x", g.in_w, ", ", g.in_c, " -> ", g.out_c, " channels, ", g.kernel_h, "x",
                g.kernel_w, ", stride ", g.stride);
}

BackendCases conv_calls(const ConvGeometry& g) {
  const std::string sizes = sizes_of(g) + concat(", padding ", g.pad);
  const Tensor x = some_values({g.batch, g.in_h, g.in_w, g.in_c}, 1);
  const Tensor w = some_values({g.out_c, g.kernel_h, g.kernel_w, g.in_c}, 2);
  const Tensor dy = some_values({g.batch, g.out_h, g.out_w, g.out_c}, 3);
  const auto y = call_of(&Backend::conv2d, g);
  const auto dx = call_of(&Backend::conv2d_grad_input, g);
  const auto dw = call_of(&Backend::conv2d_grad_weight, g);
  const int64_t channels = std::max(g.in_c, g.out_c);
  const double winograd = channels < 256 ? 2e-5 : channels < 512 ? 2.5e-5 : 5e-5;
  const double tolerance = may_be_winograd(g) ? winograd : 5e-6;
  return {{Primitive::conv2d, sizes, {x, w}, {output(dy.numel())}, y, tolerance},
          {Primitive::conv2d_grad_input, sizes, {dy, w}, {output(x.numel())}, dx, tolerance},
          {Primitive::conv2d_grad_weight, sizes, {dy, x}, {output(w.numel())}, dw, tolerance}};
}

ConvGeometry conv_geometry(int64_t n, int64_t size, int64_t in, int64_t out, int64_t kernel, int64_t stride,
                           int64_t pad) {
  ConvGeometry g{.batch = n, .in_h = size, .in_w = size + 1, .in_c = in};
  g.out_c = out, g.kernel_h = g.kernel_w = kernel, g.stride = stride, g.pad = pad;
  g.out_h = (g.in_h + 2 * pad - kernel) / stride + 1;
  g.out_w = (g.in_w + 2 * pad - kernel) / stride + 1;
  return g;
}

const std::vector<ConvGeometry>& conv_geometries() {
  static const std::vector<ConvGeometry> list = [] {
    std::vector<ConvGeometry> all = {
        // Around every border: vector width, panel, register tile, blocks of rows, depth, packing, unfolding, 1x1,
        // strides; Winograd with whole and cut tiles, few and many of them, and around a panel of channels.
        conv_geometry(1, 1, 1, 1, 1, 1, 0), conv_geometry(2, 9, 5, 7, 3, 1, 1), conv_geometry(3, 8, 3, 16, 3, 1, 1),
        conv_geometry(2, 8, 16, 16, 3, 2, 1), conv_geometry(2, 7, 17, 33, 3, 2, 1),
        conv_geometry(2, 8, 130, 40, 1, 2, 0), conv_geometry(5, 1, 100, 10, 1, 1, 0),
        conv_geometry(1, 13, 8, 8, 7, 2, 3), conv_geometry(2, 4, 400, 48, 3, 1, 1),
        conv_geometry(1, 5, 32, 15, 5, 1, 2), conv_geometry(1, 6, 16, 31, 2, 3, 0),
        conv_geometry(40, 6, 8, 12, 3, 1, 1), conv_geometry(1, 11, 3, 5, 7, 2, 3), conv_geometry(2, 7, 16, 32, 3, 1, 1),
        conv_geometry(3, 8, 48, 16, 3, 1, 1), conv_geometry(1, 12, 16, 80, 3, 1, 1),
        conv_geometry(20, 31, 16, 16, 3, 1, 1), conv_geometry(65, 7, 64, 16, 3, 1, 1),
        // 128 taps and more, of one channel (all taps in one block) and of many; odd strides and paddings.
        conv_geometry(1, 12, 8, 3, 12, 1, 0), conv_geometry(2, 13, 8, 5, 12, 3, 7),
        conv_geometry(1, 14, 3, 8, 12, 1, 5), conv_geometry(1, 13, 3, 3, 12, 2, 1),
        conv_geometry(1, 20, 16, 16, 13, 5, 9), conv_geometry(1, 33, 8, 1, 33, 1, 2),
        conv_geometry(1, 24, 1, 1, 20, 1, 3), conv_geometry(1, 20, 9, 2, 19, 7, 30),
        // Without channels, images or taps: zeros, or nothing.
        conv_geometry(2, 4, 0, 5, 3, 1, 1), conv_geometry(2, 4, 5, 0, 3, 1, 1), conv_geometry(0, 4, 5, 5, 3, 1, 1),
        conv_geometry(0, 8, 16, 16, 3, 1, 1), conv_geometry(2, 4, 5, 5, 0, 1, 0)};
    // Around what blocks of rows see of their images: of one line, blocks that begin within it; lines with wide
    // padding.
    all.push_back(conv_geometry(1, 3, 3, 8, 3, 2, 5));
    all.push_back(conv_geometry(1, 3, 3, 8, 3, 2, 2));
    all.push_back(conv_geometry(1, 40, 3, 8, 7, 2, 3));
    for (const int64_t stride : {1, 2}) {
      ConvGeometry line = conv_geometry(3, 1, 24, 8, 3, stride, 1);
      line.in_w = 170;
      line.out_w = (line.in_w - 1) / stride + 1;
      all.push_back(line);
    }
    ConvGeometry none = conv_geometry(2, 0, 8, 8, 2, 1, 1);  // no line, and one of padding alone
    none.in_w = 4, none.out_w = 5;
    all.push_back(none);
    ConvGeometry flat = conv_geometry(2, 13, 8, 9, 1, 1, 0);  // 129 taps in one row, rows of padding only
    flat.kernel_w = 129, flat.pad = 64;
    flat.out_h = flat.in_h + 128, flat.out_w = flat.in_w;
    all.push_back(flat);
    for (const int64_t channels : {64, 256, 512}) {  // of which Winograd's errors grow
      ConvGeometry wide = conv_geometry(2, 4, channels, channels, 3, 1, 1);
      wide.in_w = wide.out_w = 4;
      all.push_back(wide);
    }
    return all;
  }();
  return list;
}

BackendCases conv_cases() {
  BackendCases list;
  for (const ConvGeometry& g : conv_geometries()) {
    BackendCases calls = conv_calls(g);
    const auto once = std::make_shared<ConvReference>();
    const auto definition = [g, once, x = calls[2].inputs[1], w = calls[0].inputs[1],
                             dy = calls[1].inputs[0]](auto part) {
      return [=] {
        if (once->y.empty()) *once = reference_conv(g, x.f32(), w.f32(), dy.f32());
        return as_tensor((*once).*part);
      };
    };
    calls[0].expected = definition(&ConvReference::y);
    calls[1].expected = definition(&ConvReference::dx);
    calls[2].expected = definition(&ConvReference::dw);
    list.insert(list.end(), calls.begin(), calls.end());
  }
  return list;
}

}  // namespace ntq::test
