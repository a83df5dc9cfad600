#pragma once
// A graph as steps over buffers: what reads what is settled once, and a run only follows. Internal to infer.
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/integer/args.h"
#include "base/integer/pack.h"
#include "infer/graph.h"

namespace ntq::infer {

/// Bytes of a run's memory for each image: float32 or codes {H,W,channels in memory}.
struct Buffer {
  int64_t bytes;            ///< of one image
  int first = 0, last = 0;  ///< steps that write it first and read it last
  int64_t offset = 0;       ///< in the arena, per image of a pass
};
inline constexpr int kNoBuffer = -1;

/// Channels in memory.
int64_t stored_channels(int64_t channels);

/// Sums of codes by the kernels of base/integer.
struct IntegerLayer {
  integer::ConvShape shape;
  integer::CodeBounds bounds;
  integer::PackedWeights packed;
  std::vector<float> scale, shift;  ///< as integer::Epilogue has them
  bool shift_by_taps = false;
};
/// Sums of floats by kernels/float_conv.cpp; what follows them is a Pointwise.
struct FloatLayer {
  integer::ConvShape shape;
  int64_t channels;
  std::vector<float> weights, scale, shift;
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
/// Bytes to what a float layer reads.
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

using Work = std::variant<IntegerLayer, FloatLayer, Pointwise, MaxPool, Subsample, Average, MakeCodes, Decode,
                          NormaliseImage, LookUpCodes, TakeFloats>;

struct Step {
  Work work;
  int x = kNoBuffer;  ///< of the image none
  int skip = kNoBuffer, y = kNoBuffer, codes = kNoBuffer;
  bool relu = false;
  integer::CodeGrid grid = {};  ///< of codes
};

struct Plan {
  Graph graph;  ///< without the weights
  std::vector<MapShape> shapes;
  std::vector<float> byte_tables;  ///< normalised values {C,256}
  std::vector<Buffer> buffers;
  std::vector<Step> from_bytes, from_floats;  ///< the image's own; before all others
  std::vector<Step> steps;
  int logits = kNoBuffer;
  int64_t arena = 0;    ///< bytes for each image
  int64_t scratch = 0;  ///< bytes of each thread
  int64_t images = 1;   ///< of a pass, so that its arena stays in the cache
};

/// Throws CheckpointError by check_graph().
Plan make_plan(Graph graph, const std::string& name);

/// Places buffers so that those of one time share no byte: sets their offsets, returns the size of all.
int64_t place_buffers(std::vector<Buffer>& buffers);

// Of a layer's weights, which are not needed after.
IntegerLayer integer_layer(const Node& node, const MapShape& in, const MapShape& out);
FloatLayer float_layer(const Node& node, const MapShape& in, const MapShape& out);

/// What a step is run on.
struct StepMemory {
  uint8_t* arena;
  int64_t capacity;      ///< images that the arena has room for
  const uint8_t* bytes;  ///< the images, one of both
  const float* floats;
  int64_t images;  ///< of this pass
};
/// The share `index` of `count` of a step's work; scratch is this thread's.
void run_step(const Plan& plan, const Step& step, const StepMemory& memory, uint8_t* scratch, int64_t index,
              int64_t count);

}  // namespace ntq::infer
