#pragma once
// A graph as steps over buffers: what reads what is settled once, and a run only follows. Internal to infer.
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/integer/args.h"
#include "base/integer/pack.h"
#include "infer/graph.h"

namespace ntq::integer {
struct Kernels;
}

namespace ntq::infer {

/// Bytes of a run's memory for each image: float32 or codes {H,W,channels in memory}.
struct Buffer {
  int64_t bytes;            ///< of one image
  int first = 0, last = 0;  ///< steps that write it first and read it last
  int level = 0;            ///< of the last step; its arena has the buffer
  int64_t offset = 0;       ///< in that arena, per image
};
inline constexpr int kNoBuffer = -1;

/// Channels in memory.
int64_t stored_channels(int64_t channels);

/// Sums of codes.
struct IntegerLayer {
  integer::ConvShape shape;
  integer::CodeBounds bounds;
  integer::PackedWeights packed;
  integer::PackedWeights few;       ///< for few pixels, where integer::prefers_direct(); else empty
  std::vector<float> scale, shift;  ///< as integer::Epilogue has them
  bool shift_by_taps = false;
  int32_t halves = 0;  ///< other than 0: sums over windows go before it
};
/// What such a layer's codes have in common; see integer::WindowSums.
struct WindowSums {
  integer::ConvShape shape;
  int64_t channels;
  int32_t zero, halves;
};
/// Sums of floats.
struct FloatLayer {
  integer::ConvShape shape;
  int64_t channels;
  integer::AlignedBytes weights;
  std::vector<float> scale, shift;
  bool shift_by_taps = false;
};
/// Scale and shift, where there are any, and all else of an epilogue.
struct Pointwise {
  int64_t pixels, channels;
  std::vector<float> scale = {}, shift = {};
};
struct MaxPool {
  integer::Pool pool;
};
struct Subsample {
  MapShape in, out;
  int64_t stride, extra;
};
struct Average {
  MapShape in;
};
/// Floats to bytes by codes that the kernels have no grid for.
struct MakeCodes {
  InputCodes codes;
  int64_t values;
};
/// Bytes to the values that they mean to who reads floats.
struct Decode {
  std::vector<float> table;
  int64_t values;
};
// What an image is at first: bytes {H,W,C} to floats or codes by tables {C,256}, or floats {H,W,C}.
struct NormaliseImage {
  MapShape image;
  std::vector<float> tables;
};
struct LookUpCodes {
  MapShape image;
  std::vector<uint8_t> tables;
};
struct TakeFloats {
  MapShape image;
};

using Work = std::variant<IntegerLayer, WindowSums, FloatLayer, Pointwise, MaxPool, Subsample, Average, MakeCodes,
                          Decode, NormaliseImage, LookUpCodes, TakeFloats>;

struct Step {
  Work work;
  int x = kNoBuffer;  ///< of the image none
  int skip = kNoBuffer, windows = kNoBuffer, y = kNoBuffer, codes = kNoBuffer;
  std::optional<integer::CodeGrid> before = {}, after = {};  ///< as integer::Epilogue has them
  bool relu = false;
  integer::CodeGrid grid = {};  ///< of codes
};

/// Steps [begin, end), run on `images` images at a time: as many as the cache holds values of, the more the smaller
/// the maps are, so that weights are read for many pixels. The levels before it are run for parts of these images.
struct Level {
  int begin, end;
  int64_t images;
  int64_t arena = 0;  ///< bytes for each image
};

struct Plan {
  const integer::Kernels* kernels;
  Graph graph;  ///< without the weights
  std::vector<MapShape> shapes;
  std::vector<float> byte_tables;  ///< normalised values {C,256}
  std::vector<Buffer> buffers;
  std::vector<Step> from_bytes, from_floats;  ///< the image's own; before all others
  std::vector<Step> steps;                    ///< numbered from 1; those of the image are step 0
  std::vector<Level> levels;
  int logits = kNoBuffer;
  int64_t scratch = 0;  ///< bytes of each thread
};

/// Throws CheckpointError by check_graph(), DeviceError for `isa`; an empty one is that of the process.
Plan make_plan(Graph graph, const std::string& name, const std::string& isa);

/// Cuts the steps into levels and places each level's buffers in its arena, so that those of one time share no byte.
void place_buffers(Plan& plan);

/// What making a layer of this node ready takes, for kMostPreparation.
double preparation(const Node& node, const MapShape& in, const MapShape& out);
// Of a layer's weights, which are not needed after.
IntegerLayer integer_layer(const Node& node, const MapShape& in, const MapShape& out);
FloatLayer float_layer(const Node& node, const MapShape& in, const MapShape& out);

/// What a step is run on: images of one pass of its level.
struct StepMemory {
  struct Arena {
    uint8_t* bytes;
    int64_t capacity;  ///< images that it has room for
    int64_t first;     ///< the image of the call that stands first in it
  };
  const Arena* arenas;   ///< of each level
  const uint8_t* bytes;  ///< the call's images, one of both
  const float* floats;
  int64_t first, images;  ///< of the call's images, those of this pass
};
/// The share `index` of `count` of a step's work; scratch is this thread's.
void run_step(const Plan& plan, const Step& step, const StepMemory& memory, uint8_t* scratch, int64_t index,
              int64_t count);
/// Where a buffer has the first image of the pass.
uint8_t* buffer_of(const Plan& plan, const StepMemory& memory, int buffer);

}  // namespace ntq::infer
