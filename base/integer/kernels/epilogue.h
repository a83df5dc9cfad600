#pragma once
// From sums of codes to what is stored.
#include "base/integer/args.h"

namespace ntq::integer::NTQ_ISA {

/// What sums are: of codes, four times those, or the bits of floats.
enum class SumsAre { codes, four_times, floats };

struct TileEnd;
/// Sums {count, kPanel} of pixels number pixels[i]; those below 0 are left out.
using FinishTile = void(const TileEnd& end, const int32_t* sums, const int64_t* pixels, int64_t count);
/// For an epilogue, with window sums or without.
FinishTile* finish_of(const Epilogue& e, SumsAre sums, bool windows);

/// What a tile of pixels has in common.
struct TileEnd {
  FinishTile* finish;
  const Epilogue* e;
  int64_t channels;                      ///< of a pixel of the output
  int64_t at;                            ///< the first channel, of a panel
  const float *scale, *shift;            ///< of channel 0
  const int32_t* window_sums = nullptr;  ///< of each pixel, as Conv has them
};

}  // namespace ntq::integer::NTQ_ISA
