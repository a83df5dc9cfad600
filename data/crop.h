#pragma once
// Which part of a photograph becomes the network's input: the protocols of the NTQ paper and of the field.
#include <cstdint>
#include <string>

#include "data/image_file.h"
#include "data/resample.h"

namespace ntq {

/// paper: the whole image to 256x256, then a random 224x224 window, mirrored half the time; the middle window in
/// evaluation (NTQ, arXiv 2212.05603, section 4). field: a random part of 8% to 100% of the area and 3/4 to 4/3 of
/// aspect, to 224x224, mirrored half the time (Szegedy et al., arXiv 1409.4842); in evaluation the shorter side to 256,
/// then the middle 224x224. Other sizes keep these proportions.
enum class Protocol { paper, field };

/// "paper" or "field"; throws std::invalid_argument for anything else.
Protocol parse_protocol(const std::string& name);

/// A resize of one part of the source on each axis, a window of the result, and perhaps its mirror image.
struct Crop {
  ResampleAxis horizontal, vertical;
  bool mirror = false;
};

/// The part and window for evaluation: `side` pixels square of an image of `source`.
Crop center_crop(Protocol protocol, ImageSize source, int64_t side);
/// The draw for sample `index` in `epoch`: a pure function of its arguments.
Crop random_crop(Protocol protocol, ImageSize source, int64_t side, uint64_t seed, int64_t epoch, int64_t index);
/// The same crop of the same image at another size (a shrunken decode).
Crop rescaled(Crop crop, ImageSize from, ImageSize to);

}  // namespace ntq
