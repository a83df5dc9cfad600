#pragma once
// LCQ's curve as a table, and its gradients (arXiv 2103.07156): one block, in float64. Sums are taken in the order of
// engine/backend/cpu/kernels/companding.cpp: the same bits.
#include <cmath>

#include "engine/backend/args.h"
#include "engine/backend/cuda/kernels/math.h"

namespace ntq::cuda {

constexpr int kMostPieces = 256, kMostSteps = 255, kMostCuts = kMostPieces + kMostSteps;
constexpr unsigned kCurveThreads = 256;

/// f and its inverse: piece i has slope[i], and begins with value begin[i] at i / K. The cuts are the ends of the
/// positive cells, between which x has the same piece and code.
struct CurveRoom {
  double share[kMostPieces], slope[kMostPieces], begin[kMostPieces];
  double level[kMostSteps + 1], code_ends[kMostSteps + 1];
  double end[kMostCuts];
  int16_t piece_in[kMostCuts + 1], code_in[kMostCuts + 1], piece_of_code[kMostSteps + 1];
};

/// Between two thresholds all x have the same sign, piece of f and code.
struct Cell {
  double sign;
  int piece, code;
  bool clipped;
};

class Curve {
 public:
  /// All threads of the block make it; null theta: one piece.
  NTQ_DEVICE Curve(Thread& thread, const CompandingArgs& args, const float* theta, const float* of_alpha,
                   CurveRoom& room)
      : room_(room),
        pieces_(static_cast<int>(args.pieces)),
        steps_(static_cast<int>(args.steps)),
        both_signs_(args.both_signs),
        unit_slopes_(args.unit_slopes),
        alpha_(static_cast<double>(*of_alpha)) {
    const int i = static_cast<int>(thread.index());
    double most = 0, total = 0;
    for (int k = 0; theta && k < pieces_; ++k) {
      const auto one = static_cast<double>(theta[k]);
      if (k == 0 || !(one <= most)) most = one;
    }
    if (i < pieces_) room.share[i] = theta ? std::exp(static_cast<double>(theta[i]) - most) : 1;
    thread.sync();
    for (int k = 0; k < pieces_; ++k) total += room.share[k];
    thread.sync();
    if (i < pieces_) {
      room.share[i] /= total;
      room.slope[i] = static_cast<double>(pieces_) * room.share[i];
    }
    thread.sync();
    double sum = 0;
    for (int k = 0; k < pieces_; ++k) {
      if (k == i) room.begin[i] = sum;
      sum += room.share[k];
    }
    good_ = finite(alpha_) && finite(sum);
    thread.sync();
    if (i <= steps_) add_code(i, args.byte_levels ? (both_signs_ ? 127.0 : 255.0) : 0.0);
    thread.sync();
    cut(i);
    thread.sync();
  }

  NTQ_DEVICE bool good() const { return good_; }
  NTQ_DEVICE double alpha() const { return alpha_; }
  NTQ_DEVICE int pieces() const { return pieces_; }
  NTQ_DEVICE int entries() const { return both_signs_ ? 2 * cuts() + 2 : cuts() + 2; }
  NTQ_DEVICE double place(int piece) const { return static_cast<double>(piece) / static_cast<double>(pieces_); }
  NTQ_DEVICE double value(int code) const { return static_cast<double>(code) / static_cast<double>(steps_); }
  /// Of the gradient of x there.
  NTQ_DEVICE double ratio(const Cell& cell) const {
    if (cell.clipped || cell.sign == 0) return 0;
    return unit_slopes_ ? 1 : room_.slope[cell.piece] / room_.slope[room_.piece_of_code[cell.code]];
  }
  NTQ_DEVICE Cell cell(int entry) const {
    int at = entry - 1;  // of the positive cells
    double sign = 1;
    if (both_signs_) {
      sign = entry <= cuts() ? -1 : 1;
      at = entry <= cuts() ? cuts() - entry : entry - cuts() - 1;
    } else if (entry == 0) {
      sign = 0, at = 0;
    }
    return {sign, room_.piece_in[at], room_.code_in[at], at == cuts()};
  }
  /// What x of this cell at most are: the largest float below a positive cell's end.
  NTQ_DEVICE float threshold(int entry) const {
    const int zero = both_signs_ ? cuts() : 0;
    if (entry == zero) return 0;
    const double exact = room_.end[entry > zero ? entry - zero - 1 : zero - 1 - entry];
    const auto above = static_cast<float>(exact);
    // x belongs to the next cell from |x| = exact on: the same on both sides of 0.
    if (entry > zero) return static_cast<double>(above) >= exact ? nextafterf(above, -1.0f) : above;
    return static_cast<double>(above) >= exact ? -above : -nextafterf(above, infinite());
  }

 private:
  NTQ_DEVICE static bool finite(double v) { return v - v == 0; }
  /// Positive cells that end before x is clipped.
  NTQ_DEVICE int cuts() const { return pieces_ + steps_; }
  /// The last piece that begins at y or below.
  NTQ_DEVICE int piece_before(double y) const {
    int piece = 0;
    for (int more = kMostPieces / 2; more > 0; more /= 2) {
      if (piece + more < pieces_ && room_.begin[piece + more] <= y) piece += more;
    }
    return piece;
  }
  NTQ_DEVICE double expanded(double y) const {
    const int piece = piece_before(y);
    return (y - room_.begin[piece]) / room_.slope[piece] + place(piece);
  }
  /// bytes: of which levels are multiples, or 0.
  NTQ_DEVICE void add_code(int code, double bytes) {
    const double level = code == steps_ ? 1 : expanded(value(code));
    room_.piece_of_code[code] = static_cast<int16_t>(piece_before(value(code)));
    room_.level[code] = bytes > 0 ? std::nearbyint(level * bytes) / bytes : level;
    const double up = (static_cast<double>(code) + 0.5) / static_cast<double>(steps_);
    room_.code_ends[code] = code < steps_ ? expanded(up) : 2;
  }
  /// Each end takes its place among the ends of pieces and codes; of equal ones that of the code is first.
  NTQ_DEVICE void cut(int i) {
    if (i == 0) {
      room_.piece_in[0] = room_.code_in[0] = 0;
      put_end(pieces_ - 1 + steps_, 1, pieces_ - 1);
    }
    if (i > 0 && i < pieces_) {
      int codes = 0;
      while (codes < steps_ && !(place(i) < room_.code_ends[codes])) ++codes;
      put_end(i - 1 + codes, place(i), i);
    }
    if (i < steps_) {
      int piece = 0;
      while (piece + 1 < pieces_ && place(piece + 1) < room_.code_ends[i]) ++piece;
      put_end(i + piece, room_.code_ends[i], piece);
    }
  }
  /// The cell behind it is in `piece`, and in as many codes as there are other ends before.
  NTQ_DEVICE void put_end(int at, double end, int piece) {
    const int codes = at + 1 - piece;
    room_.end[at] = alpha_ * end;
    room_.piece_in[at + 1] = static_cast<int16_t>(piece);
    room_.code_in[at + 1] = static_cast<int16_t>(codes < steps_ ? codes : steps_);
  }

  CurveRoom& room_;
  int pieces_, steps_;
  bool both_signs_, unit_slopes_, good_ = false;
  double alpha_;
};

struct CompandingKernel {
  struct Args {
    CompandingArgs of;
    const float *theta, *alpha;
    float *thresholds, *values, *slopes, *codes;
  };
  static constexpr bool kSyncs = true;
  static constexpr unsigned kShared = sizeof(CurveRoom);
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    CurveRoom& room = *thread.shared<CurveRoom>();
    const Curve curve(thread, args.of, args.theta, args.alpha, room);
    for (int i = static_cast<int>(thread.index()); i < curve.entries(); i += static_cast<int>(thread.threads())) {
      const Cell cell = curve.cell(i);
      const double value = curve.alpha() * room.level[cell.code];
      const float none = not_a_number();  // where it is not good all of it says so, that of 0 too
      args.values[i] = curve.good() ? static_cast<float>(cell.sign < 0 ? -value : value) : none;
      args.slopes[i] = curve.good() ? static_cast<float>(curve.ratio(cell)) : none;
      args.codes[i] = static_cast<float>(cell.sign < 0 ? -cell.code : cell.code);
      if (i > 0) args.thresholds[i - 1] = curve.threshold(i - 1);
    }
  }
};

// Straight through the rounding alone: x = sign alpha v, piece i of v, piece j of the rounded y.
struct CompandingGradKernel {
  struct Args {
    CompandingArgs of;
    const float *theta, *alpha;
    const double* sums;
    float *dalpha, *dtheta;
  };
  struct Room {
    CurveRoom curve;
    double of_alpha[2 * kMostCuts + 2];
    double of_begin[kMostPieces], of_share[kMostPieces];
  };
  static constexpr bool kSyncs = true;
  static constexpr unsigned kShared = sizeof(Room);
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    Room& room = *thread.shared<Room>();
    const Curve curve(thread, args.of, args.theta, args.alpha, room.curve);
    const int m = static_cast<int>(thread.index()), entries = curve.entries(), pieces = curve.pieces();
    for (int n = m; n < entries; n += static_cast<int>(thread.threads())) {
      const Cell cell = curve.cell(n);
      const double up = cell.sign * args.sums[n], up_v = args.sums[entries + n] / curve.alpha();
      room.of_alpha[n] = cell.sign == 0 ? 0
                         : cell.clipped ? up
                                        : up * room.curve.level[cell.code] - curve.ratio(cell) * up_v;
    }
    double of_slope = 0, of_begin = 0;
    for (int n = 0; args.dtheta && m < pieces && n < entries; ++n)
      add_entry(args, curve, room, n, m, of_slope, of_begin);
    if (m < pieces) room.of_begin[m] = of_begin;
    thread.sync();
    if (m == 0) {
      double total = 0;
      for (int n = 0; n < entries; ++n) total += room.of_alpha[n];
      *args.dalpha = static_cast<float>(total);
    }
    double behind = 0, mean = 0;
    for (int k = pieces - 1; k > m; --k) behind += room.of_begin[k];
    const double of_share = static_cast<double>(pieces) * of_slope + behind;
    if (m < pieces) room.of_share[m] = of_share;
    thread.sync();
    for (int k = pieces - 1; k >= 0; --k) mean += room.curve.share[k] * room.of_share[k];
    if (args.dtheta && m < pieces) args.dtheta[m] = static_cast<float>(room.curve.share[m] * (of_share - mean));
  }

 private:
  /// What entry n adds for piece m.
  NTQ_DEVICE static void add_entry(const Args& args, const Curve& curve, const Room& room, int n, int m,
                                   double& of_slope, double& of_begin) {
    const Cell cell = curve.cell(n);
    const int j = room.curve.piece_of_code[cell.code];
    if (cell.sign == 0 || cell.clipped || (cell.piece != m && j != m)) return;
    const double up = cell.sign * args.sums[n], up_v = args.sums[curve.entries() + n] / curve.alpha();
    const double scale = curve.alpha() / room.curve.slope[j];
    if (cell.piece == m) {
      of_slope += scale * (up_v - up * curve.place(m));
      of_begin += scale * up;
    }
    if (j == m) {
      of_slope -= scale * up * (curve.value(cell.code) - room.curve.begin[j]) / room.curve.slope[j];
      of_begin -= scale * up;
    }
  }
};

}  // namespace ntq::cuda
