#pragma once
// Batches out of images of bytes: windows, mirrored or not, and what becomes of each byte.
#include "engine/backend/cuda/kernels/pixels.h"

namespace ntq::cuda {

/// See Primitives::crop_images; a thread makes a pixel.
struct CropKernel {
  struct Args {
    ImageSizes g;
    const uint8_t* pixels;
    const int32_t* crops;
    const float* values;
    float* y;
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const ImageSizes& g = args.g;
    each_index(thread, g.batch * g.height * g.width, [&](int64_t place) {
      const Pixel out = pixel_of(place, g.height, g.width);
      const int32_t* const crop = args.crops + int64_t{4} * out.image;
      const int64_t row = crop[1] + out.h, column = crop[2] + (crop[3] != 0 ? g.width - 1 - out.w : out.w);
      const bool inside = row >= 0 && row < g.height && column >= 0 && column < g.width;
      const int64_t from = ((crop[0] * g.height + row) * g.width + column) * g.channels;
      float* const to = args.y + place * g.channels;
      for (int64_t c = 0; c < g.channels; ++c) to[c] = args.values[256 * c + (inside ? args.pixels[from + c] : 0)];
    });
  }
};

}  // namespace ntq::cuda
