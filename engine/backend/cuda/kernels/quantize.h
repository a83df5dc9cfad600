#pragma once
// Uniform quantization with learned steps, and NTQ's noise, drawn in registers: the bits of
// engine/backend/cpu/kernels/quantize.cpp. A thread takes four elements, those of a block of Philox.
#include "engine/backend/cuda/kernels/noise.h"
#include "engine/backend/cuda/kernels/parts.h"
#include "engine/backend/cuda/kernels/uniform.h"

namespace ntq::cuda {

/// The quantizer of each of some neighbouring elements: one step for all, or one for each run of them.
class StepOf {
 public:
  struct Steps {
    const float* steps;
    int64_t count, run;
    QuantRange range;
  };
  /// From element i on.
  NTQ_DEVICE StepOf(const Steps& s, int64_t i) : steps_(s.steps), run_(s.run), q_{0, s.range.low, s.range.high} {
    const int64_t first = s.count == 1 ? 0 : i / s.run;
    steps_ += first;
    left_ = s.count == 1 ? 4 : (first + 1) * s.run - i;
    q_.step = *steps_;
  }
  /// Of the next element.
  NTQ_DEVICE const Uniform& next() {
    if (left_ == 0) {
      q_.step = *++steps_;
      left_ = run_;
    }
    --left_;
    return q_;
  }

 private:
  const float* steps_;
  int64_t run_, left_ = 0;
  Uniform q_;
};

template <bool kNoise, Access kAccess>
struct QuantizeKernel {
  struct Args {
    StepOf::Steps steps;
    QuantNoise noise;
    const float* x;
    float* y;
    int64_t n;
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    each_pack_of(thread, args.n, [&](int64_t pack, int64_t i, int count) {
      const Float4 x = get_part<kAccess>(args.x + i, count);
      Float4 eps{}, y{};
      if constexpr (kNoise) eps = normal_block(args.noise.key, static_cast<uint64_t>(pack));
      StepOf step(args.steps, i);
      for (int j = 0; j < 4; ++j) {
        if (j < count) y.v[j] = step.next().quantized(x.v[j]);
        if constexpr (kNoise) {
          const float e = absolute(y.v[j] - x.v[j]);
          if (e == e) y.v[j] += args.noise.c * exponential(-args.noise.k * e) * std::sqrt(e) * eps.v[j];
        }
      }
      put_part<kAccess>(args.y + i, y, count);
    });
  }
};

/// dx, which may be dy, and the sums {parts,steps} of the steps' gradients.
template <Access kAccess>
struct QuantizeGradKernel {
  struct Args {
    RunParts parts;
    const float* steps;
    QuantRange range;
    const float *x, *dy;
    float* dx;
    double* partial;
  };
  static constexpr bool kSyncs = true;
  static constexpr unsigned kShared = kPartThreads * sizeof(double);
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const PartPlace at = place_of(thread, args.parts);
    const Uniform q{args.steps[at.run], args.range.low, args.range.high};
    float sum = 0;
    each_pack(thread, at, [&](int64_t i, int count) {
      const Float4 x = get_part<kAccess>(args.x + i, count), dy = get_part<kAccess>(args.dy + i, count);
      Float4 dx;
      for (int j = 0; j < 4; ++j) {
        float term = 0;
        dx.v[j] = q.passes(x.v[j], dy.v[j], term) ? dy.v[j] : 0.0f;
        sum += term;
      }
      put_part<kAccess>(args.dx + i, dx, count);
    });
    const double total = combine_block(thread, thread.shared<double>(), static_cast<double>(sum), Plus());
    if (thread.index() == 0) args.partial[at.part * args.parts.runs + at.run] = total;
  }
};

struct CopyStepsKernel {
  struct Args {
    const float* steps;
    float* to;
    int64_t n;
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    each_index(thread, args.n, [&](int64_t i) { args.to[i] = args.steps[i]; });
  }
};

/// `checked`, or none, holds the steps, and becomes what is not a number where a value is not finite.
template <Access kAccess>
struct QuantizeCodesKernel {
  struct Args {
    StepOf::Steps steps;
    const float* x;
    uint8_t* codes;
    float* checked;
    int64_t n;
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    each_pack_of(thread, args.n, [&](int64_t, int64_t i, int count) {
      const Float4 x = get_part<kAccess>(args.x + i, count);
      Byte4 codes{};
      StepOf step(args.steps, i);
      for (int j = 0; j < 4; ++j) {
        if (j < count) codes.v[j] = step.next().byte(x.v[j]);
        if (args.checked && j < count && !is_finite(x.v[j]))
          args.checked[args.steps.count == 1 ? 0 : (i + j) / args.steps.run] = x.v[j] - x.v[j];
      }
      put_part<kAccess>(args.codes + i, codes, count);
    });
  }
};

template <Access kAccess>
struct DecodeKernel {
  struct Args {
    const uint8_t* codes;
    bool is_signed;
    const float* step;
    float* y;
    int64_t n;
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const float step = *args.step;
    each_pack_of(thread, args.n, [&](int64_t, int64_t i, int count) {
      const Byte4 codes = get_part<kAccess>(args.codes + i, count);
      Float4 y;
      for (int j = 0; j < 4; ++j) {
        const int code = codes.v[j];
        y.v[j] = static_cast<float>(args.is_signed && code > 127 ? code - 256 : code) * step;
      }
      put_part<kAccess>(args.y + i, y, count);
    });
  }
};

/// Squared errors {parts,steps} of x with each of some steps; a block has one of them.
template <Access kAccess>
struct QuantizeErrorKernel {
  struct Args {
    RunParts parts;  ///< of one run
    const float* steps;
    int64_t count;
    QuantRange range;
    const float* x;
    double* partial;
  };
  static constexpr bool kSyncs = true;
  static constexpr unsigned kShared = kPartThreads * sizeof(double);
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    PartPlace at = place_of(thread, args.parts);
    const int64_t step = at.run;
    at.begin -= step * args.parts.run, at.end -= step * args.parts.run;
    const Uniform q{args.steps[step], args.range.low, args.range.high};
    float sum = 0;
    each_pack(thread, at, [&](int64_t i, int count) {
      const Float4 x = get_part<kAccess>(args.x + i, count);
      for (int j = 0; j < 4; ++j) {
        const float e = q.code(x.v[j]) * q.step - x.v[j];
        sum += j < count ? e * e : 0.0f;
      }
    });
    const double total = combine_block(thread, thread.shared<double>(), static_cast<double>(sum), Plus());
    if (thread.index() == 0) args.partial[at.part * args.count + step] = total;
  }
};

}  // namespace ntq::cuda
