// Pooling and subsampling with their gradients, and batches out of images of bytes.
#include "tests/engine/backend_list/list.h"
#include "tests/support/numeric_grad.h"

namespace ntq::test {
namespace {

PoolGeometry pool(int64_t batch, int64_t size, int64_t channels, int64_t kernel, int64_t stride, int64_t pad) {
  PoolGeometry g{.batch = batch, .in_h = size, .in_w = size + 1, .channels = channels};
  g.kernel = kernel, g.stride = stride, g.pad = pad;
  g.out_h = (g.in_h + 2 * pad - kernel) / stride + 1;
  g.out_w = (g.in_w + 2 * pad - kernel) / stride + 1;
  return g;
}

void add_pool(BackendCases& list, const PoolGeometry& g, bool wild = false) {
  const std::string sizes = concat(g.batch, "x", g.in_h, "x", g.in_w, "x", g.channels, ", kernel ", g.kernel,
                                   ", stride ", g.stride, ", padding ", g.pad, wild ? ", wild" : "");
  const int64_t n = g.batch * g.in_h * g.in_w * g.channels, m = g.batch * g.out_h * g.out_w * g.channels;
  const Tensor x = wild ? wild_values(n, 1) : some_values({n}, 1), dy = some_values({m}, 2);
  const BackendCase forward{
      Primitive::max_pool, sizes, {x}, {output(m), output(m, DType::i32)}, call_of(&Backend::max_pool, g)};
  list.push_back(forward);
  const Tensor index = outputs_of(forward, *all_backends().front().backend)[1];
  list.push_back(
      {Primitive::max_pool_grad, sizes, {dy, index}, {output(n)}, call_of(&Backend::max_pool_grad, g), 1e-6});
  if (wild) return;
  list.push_back({Primitive::avg_pool, sizes, {x}, {output(m)}, call_of(&Backend::avg_pool, g), 1e-6});
  list.push_back({Primitive::avg_pool_grad, sizes, {dy}, {output(n)}, call_of(&Backend::avg_pool_grad, g), 1e-6});
}

void add_subsample(BackendCases& list, const SubsampleGeometry& g) {
  const std::string sizes =
      concat(g.batch, "x", g.in_h, "x", g.in_w, "x", g.in_c, ", stride ", g.stride, ", extra ", g.extra);
  list.push_back({Primitive::subsample,
                  sizes,
                  {some_values({g.in_size()}, 1)},
                  {output(g.out_size())},
                  call_of(&Backend::subsample, g)});
  list.push_back({Primitive::subsample_grad,
                  sizes,
                  {some_values({g.out_size()}, 1)},
                  {output(g.in_size())},
                  call_of(&Backend::subsample_grad, g)});
}

/// Windows at, over and beyond every border.
void add_crop(BackendCases& list, const ImageSizes& g, int64_t images) {
  const int64_t image = g.height * g.width * g.channels;
  Tensor pixels = Tensor::empty({images * image}, DType::u8), crops = Tensor::empty({4 * g.batch}, DType::i32);
  for (int64_t i = 0; i < pixels.numel(); ++i) pixels.data<uint8_t>()[i] = static_cast<uint8_t>(i * 37 + i / 256);
  const auto reach_h = static_cast<int32_t>(g.height) + 1, reach_w = static_cast<int32_t>(g.width) + 1;
  for (int32_t i = 0; i < g.batch; ++i) {
    int32_t* const crop = crops.data<int32_t>() + 4 * i;
    crop[0] = i * 5 % static_cast<int32_t>(images);
    crop[1] = i * 3 % (2 * reach_h + 1) - reach_h, crop[2] = i % (2 * reach_w + 1) - reach_w;
    crop[3] = i / 2 % 2;
  }
  const Tensor values = some_values({256 * g.channels}, 3);
  const auto expected = [=] {
    Tensor y = Tensor::empty({g.size()});
    for (int64_t i = 0; i < g.size(); ++i) {
      const int64_t c = i % g.channels, w = i / g.channels % g.width, h = i / (g.channels * g.width) % g.height;
      const int32_t* const crop = crops.data<int32_t>() + 4 * (i / image);
      const int64_t from_h = h + crop[1], from_w = (crop[3] ? g.width - 1 - w : w) + crop[2];
      const bool black = std::min(from_h, from_w) < 0 || from_h >= g.height || from_w >= g.width;
      const int64_t at = crop[0] * image + (from_h * g.width + from_w) * g.channels + c;
      y.f32()[i] = values.f32()[256 * c + (black ? 0 : pixels.data<uint8_t>()[at])];
    }
    return std::vector<Tensor>{y};
  };
  list.push_back({.primitive = Primitive::crop_images,
                  .what = concat(g.batch, "x", g.height, "x", g.width, "x", g.channels, " of ", images),
                  .inputs = {pixels, crops, values},
                  .outputs = {output(g.size())},
                  .call = call_of(&Backend::crop_images, g),
                  .expected = expected});
}

}  // namespace

BackendCases pool_cases() {
  BackendCases list;
  for (const int64_t channels : {1, 3, 8, 15, 16, 17, 64}) {
    add_pool(list, pool(2, 6, channels, 2, 2, 0));
    add_pool(list, pool(1, 7, channels, 3, 2, 1));
  }
  add_pool(list, pool(3, 5, 4, 5, 1, 2));
  add_pool(list, pool(70, 8, 33, 3, 1, 1));
  add_pool(list, pool(0, 4, 4, 2, 2, 0));
  add_pool(list, pool(2, 6, 17, 3, 2, 1), true);
  for (const SubsampleGeometry& g : {SubsampleGeometry{1, 1, 1, 1, 1, 0},
                                     {2, 7, 6, 3, 2, 1},
                                     {3, 8, 8, 16, 2, 8},
                                     {1, 5, 9, 17, 3, 5},
                                     {2, 4, 4, 5, 7, 0},
                                     {0, 4, 4, 3, 2, 1},
                                     {64, 16, 16, 32, 2, 16}})
    add_subsample(list, g);
  for (const ImageSizes& g : {ImageSizes{60, 3, 4, 3}, {17, 5, 2, 1}, {9, 1, 1, 2}, {40, 32, 32, 3}, {0, 4, 4, 3}})
    add_crop(list, g, 7);
  PoolGeometry whole{.batch = 9, .in_h = 1, .in_w = 49, .channels = 130};  // global: one window of all pixels
  whole.kernel = 49;
  whole.out_h = 1, whole.out_w = 1;
  list.push_back({Primitive::avg_pool,
                  "global",
                  {some_values({9 * 49 * 130}, 1)},
                  {output(9 * 130)},
                  call_of(&Backend::avg_pool, whole),
                  1e-6});
  return list;
}

}  // namespace ntq::test
