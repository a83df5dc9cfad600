#pragma once
// LQ-Nets' levels and the fit of their basis (arXiv 1807.10029), in float64, a block for each basis. Sums are taken in
// the order of engine/backend/cpu/kernels/basis.cpp: the same bits.
#include <cmath>

#include "engine/backend/args.h"
#include "engine/backend/cholesky.h"
#include "engine/backend/cuda/launch.h"

namespace ntq::cuda {

constexpr int kMostBits = kMostUnknowns;

/// What basis value `bit` is multiplied with in a code.
NTQ_DEVICE double factor_of(const BasisArgs& args, int code, int bit) {
  return (code >> bit & 1) != 0 ? 1 : args.both_signs ? -1 : 0;
}

/// A thread for each code, whose level's place is the number of levels before it.
struct BasisLevelsKernel {
  struct Args {
    BasisArgs of;
    const float* basis;
    float *levels, *midpoints, *codes;
  };
  struct Room {
    double sums[1 << kMostBits];
    float levels[1 << kMostBits];
  };
  static constexpr bool kSyncs = true;
  static constexpr unsigned kShared = sizeof(Room);
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    Room& room = *thread.shared<Room>();
    const int code = static_cast<int>(thread.index()), count = 1 << args.of.bits;
    const int64_t table = thread.block();
    double sum = 0;
    for (int bit = 0; bit < args.of.bits; ++bit)
      sum += factor_of(args.of, code, bit) * static_cast<double>(args.basis[table * args.of.bits + bit]);
    if (code < count) room.sums[code] = sum;
    thread.sync();
    int place = 0;
    for (int other = 0; other < count; ++other) place += is_before(room.sums[other], other, sum, code) ? 1 : 0;
    if (code < count) {
      room.levels[place] = static_cast<float>(sum);
      args.levels[table * count + place] = static_cast<float>(sum);
      args.codes[table * count + place] = static_cast<float>(code);
    }
    thread.sync();
    if (code > 0 && code < count)
      args.midpoints[table * (count - 1) + code - 1] = (room.levels[code - 1] + room.levels[code]) / 2;
  }

 private:
  /// Of equal ones the lower code; last what is not a number.
  NTQ_DEVICE static bool is_before(double a, int code_a, double b, int code_b) {
    const bool no_a = a != a, no_b = b != b;
    if (no_a != no_b) return no_b;
    return a < b || ((a == b || no_a) && code_a < code_b);
  }
};

/// A thread for each element of the normal equations, one alone to solve them.
struct BasisFitKernel {
  struct Args {
    BasisFit fit;
    const float* codes;
    const double *sizes, *sums;
    float* basis;
  };
  struct Room {
    SquareRows a[kMostBits], root[kMostBits];
    double b[kMostBits], pulled[kMostBits], v[kMostBits];
  };
  static constexpr bool kSyncs = true;
  static constexpr unsigned kThreads = kMostBits * kMostBits, kShared = sizeof(Room);
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    Room& room = *thread.shared<Room>();
    const BasisArgs& of = args.fit.basis;
    const int count = 1 << of.bits, i = static_cast<int>(thread.index()) / kMostBits,
              j = static_cast<int>(thread.index()) % kMostBits;
    const int64_t first = int64_t{thread.block()} * count;
    float* const basis = args.basis + int64_t{thread.block()} * of.bits;
    double a = 0, b = 0;
    for (int level = 0; level < count; ++level) {
      const int code = static_cast<int>(args.codes[first + level]);
      const double e = factor_of(of, code, i);
      a += e * factor_of(of, code, j) * args.sizes[first + level];
      b += e * args.sums[first + level];
    }
    room.a[i][j] = a;
    if (j == 0) room.b[i] = b;
    if (j == 0 && i < of.bits) room.pulled[i] = b + args.fit.ridge * static_cast<double>(basis[i]);
    thread.sync();
    if (thread.index() != 0) return;
    const auto solve = [&](const double* right, double ridge) {
      return solve_cholesky(of.bits, room.a, right, ridge, room.root, room.v, [](double x) { return std::sqrt(x); });
    };
    const bool found = (!args.fit.always && solve(room.b, 0)) || solve(room.pulled, args.fit.ridge);
    for (int bit = 0; found && bit < of.bits; ++bit) {
      const auto old = static_cast<double>(basis[bit]);
      basis[bit] = static_cast<float>(old + args.fit.share * (room.v[bit] - old));
    }
  }
};

}  // namespace ntq::cuda
