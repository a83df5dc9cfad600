// LCQ's curve as a table, and its gradients (arXiv 2103.07156, formulas as DensoITLab/nuLSQ has them): small, serial,
// in float64.
#include "engine/backend/cpu/kernels/kernels.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

constexpr int64_t kMostPieces = 256, kMostSteps = 255;

/// As args.entries(), whose code the linker would share between instruction sets.
int64_t entries_of(const CompandingArgs& a) {
  return a.both_signs ? 2 * (a.steps + a.pieces) + 2 : a.steps + a.pieces + 2;
}

/// Between two thresholds all x have the same sign, piece of f and code.
struct Cell {
  double sign;
  int64_t piece, code;
  bool clipped;
};

/// f and its inverse: piece i has slope[i], and begins with value begin[i] at i / K.
class Curve {
 public:
  Curve(const CompandingArgs& args, const Companded& of)
      : args_(args), pieces_(args.pieces), steps_(args.steps), alpha(static_cast<double>(*of.alpha)) {
    double most = 0, total = 0, sum = 0;
    for (int64_t i = 0; of.theta && i < pieces_; ++i) {
      const auto theta = static_cast<double>(of.theta[i]);
      if (i == 0 || !(theta <= most)) most = theta;
    }
    for (int64_t i = 0; i < pieces_; ++i) {
      share[i] = of.theta ? __builtin_exp(static_cast<double>(of.theta[i]) - most) : 1;
      total += share[i];
    }
    for (int64_t i = 0; i < pieces_; ++i) {
      share[i] /= total;
      slope[i] = static_cast<double>(pieces_) * share[i];
      begin[i] = sum;
      sum += share[i];
    }
    good_ = __builtin_isfinite(alpha) && __builtin_isfinite(sum);
    const double bytes = args.both_signs ? 127 : 255;
    for (int64_t k = 0; k <= steps_; ++k) {
      piece_of_code[k] = piece_before(value(k));
      level[k] = k == steps_ ? 1 : expanded(value(k));
      if (args.byte_levels) level[k] = __builtin_nearbyint(level[k] * bytes) / bytes;
    }
    cut();
  }

  bool good() const { return good_; }
  double place(int64_t piece) const { return static_cast<double>(piece) / static_cast<double>(pieces_); }
  double value(int64_t code) const { return static_cast<double>(code) / static_cast<double>(steps_); }
  /// Of the gradient of x there.
  double ratio(const Cell& cell) const {
    if (cell.clipped || cell.sign == 0) return 0;
    return args_.unit_slopes ? 1 : slope[cell.piece] / slope[piece_of_code[cell.code]];
  }

  Cell cell(int64_t entry) const {
    int64_t at = entry - 1;  // of the positive cells
    double sign = 1;
    if (args_.both_signs) {
      sign = entry <= cuts_ ? -1 : 1;
      at = entry <= cuts_ ? cuts_ - entry : entry - cuts_ - 1;
    } else if (entry == 0) {
      sign = 0, at = 0;
    }
    return {sign, piece_in[at], code_in[at], at == cuts_};
  }
  /// What x of this cell at most are: the largest float below a positive cell's end.
  float threshold(int64_t entry) const {
    const int64_t zero = args_.both_signs ? cuts_ : 0;
    if (entry == zero) return 0;
    const float above = static_cast<float>(end[entry > zero ? entry - zero - 1 : zero - 1 - entry]);
    const double exact = end[entry > zero ? entry - zero - 1 : zero - 1 - entry];
    // x belongs to the next cell from |x| = exact on: the same on both sides of 0.
    if (entry > zero) return static_cast<double>(above) >= exact ? __builtin_nextafterf(above, -1) : above;
    return static_cast<double>(above) >= exact ? -above : -__builtin_nextafterf(above, __builtin_inff());
  }

 private:
  /// The last piece that begins at y or below.
  int64_t piece_before(double y) const {
    int64_t piece = 0;
    while (piece + 1 < pieces_ && begin[piece + 1] <= y) ++piece;
    return piece;
  }
  double expanded(double y) const {
    const int64_t piece = piece_before(y);
    return (y - begin[piece]) / slope[piece] + place(piece);
  }
  /// The ends of the positive cells: where pieces begin, where the code goes up, and alpha.
  void cut() {
    int64_t piece = 0, code = 0;
    piece_in[0] = code_in[0] = 0;
    for (cuts_ = 0; cuts_ < pieces_ - 1 + steps_;) {
      const double up = (static_cast<double>(code) + 0.5) / static_cast<double>(steps_);
      const double next_code = code < steps_ ? expanded(up) : 2,
                   next_piece = piece + 1 < pieces_ ? place(piece + 1) : 2;
      const bool is_code = code < steps_ && !(next_piece < next_code);
      end[cuts_++] = alpha * (is_code ? next_code : next_piece);
      code += is_code ? 1 : 0, piece += is_code ? 0 : 1;
      piece_in[cuts_] = piece, code_in[cuts_] = code;
    }
    end[cuts_++] = alpha;
    piece_in[cuts_] = piece, code_in[cuts_] = code;
  }

  const CompandingArgs& args_;
  int64_t pieces_, steps_, cuts_ = 0;
  bool good_;
  static constexpr int64_t kMostCuts = kMostPieces + kMostSteps;
  double end[kMostCuts];
  int64_t piece_in[kMostCuts + 1], code_in[kMostCuts + 1];

 public:
  double alpha, share[kMostPieces], slope[kMostPieces], begin[kMostPieces], level[kMostSteps + 1];
  int64_t piece_of_code[kMostSteps + 1];
};

void companding(const CompandingArgs& args, const Companded& of, const CompandedTable& table) {
  const Curve curve(args, of);
  for (int64_t i = 0; i < entries_of(args); ++i) {
    const Cell cell = curve.cell(i);
    const double value = curve.alpha * curve.level[cell.code];
    const bool good = curve.good();  // else all of it says so, that of 0 too
    table.values[i] = good ? static_cast<float>(cell.sign < 0 ? -value : value) : __builtin_nanf("");
    table.slopes[i] = good ? static_cast<float>(curve.ratio(cell)) : __builtin_nanf("");
    table.codes[i] = static_cast<float>(cell.sign < 0 ? -cell.code : cell.code);
    if (i > 0) table.thresholds[i - 1] = curve.threshold(i - 1);
  }
}

// Straight through the rounding alone: x = sign alpha v, piece i of v, piece j of the rounded y.
void companding_grad(const CompandingArgs& args, const Companded& of, const double* sums, float* dalpha,
                     float* dtheta) {
  const Curve curve(args, of);
  double of_slope[kMostPieces] = {}, of_begin[kMostPieces] = {}, of_alpha = 0;
  const int64_t entries = entries_of(args);
  for (int64_t n = 0; n < entries; ++n) {
    const Cell cell = curve.cell(n);
    const double up = cell.sign * sums[n], up_v = sums[entries + n] / curve.alpha;  // sums of sign dy [v]
    if (cell.sign == 0) continue;
    if (cell.clipped) {
      of_alpha += up;
      continue;
    }
    const int64_t i = cell.piece, j = curve.piece_of_code[cell.code];
    of_alpha += up * curve.level[cell.code] - curve.ratio(cell) * up_v;
    const double scale = curve.alpha / curve.slope[j];
    of_slope[i] += scale * (up_v - up * curve.place(i));
    of_slope[j] -= scale * up * (curve.value(cell.code) - curve.begin[j]) / curve.slope[j];
    of_begin[i] += scale * up;
    of_begin[j] -= scale * up;
  }
  *dalpha = static_cast<float>(of_alpha);
  if (!dtheta) return;
  double of_share[kMostPieces], behind = 0, mean = 0;
  for (int64_t m = args.pieces - 1; m >= 0; --m) {
    of_share[m] = static_cast<double>(args.pieces) * of_slope[m] + behind;
    behind += of_begin[m];
    mean += curve.share[m] * of_share[m];
  }
  for (int64_t m = 0; m < args.pieces; ++m) dtheta[m] = static_cast<float>(curve.share[m] * (of_share[m] - mean));
}

}  // namespace

void fill_companding(Kernels& t) {
  t.companding = companding;
  t.companding_grad = companding_grad;
}

}  // namespace ntq::cpu::NTQ_ISA
