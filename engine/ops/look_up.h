#pragma once
// Quantization to tables of any levels. Not recorded: an estimator's gradient is its method's own (custom_grad).
#include "engine/backend/args.h"
#include "engine/tensor.h"

namespace ntq {

/// x's entry: the one for what is above as many thresholds, which rise. {n-1} and {n}, or {C,n-1} and {C,n}: a table
/// for each slice of the first axis of x. Not a number where x is not finite.
Tensor look_up(const Tensor& x, const Tensor& thresholds, const Tensor& entries);

/// The same, and over the x of each entry their number and their sum: {2,C,n}, float64.
struct LookedUp {
  Tensor values, sums;
};
LookedUp look_up_with_sums(const Tensor& x, const Tensor& thresholds, const Tensor& entries);

/// dy times x's slope.
Tensor look_up_slopes(const Tensor& x, const Tensor& thresholds, const Tensor& slopes, const Tensor& dy);
/// The same; and over the x of each entry the sums of dy and of dy x: {2,C,n} of the type asked for, float64
/// or float32.
struct LookUpGrad {
  Tensor dx, sums;
};
LookUpGrad look_up_grad(const Tensor& x, const Tensor& thresholds, const Tensor& slopes, const Tensor& dy,
                        DType sums = DType::f64);

/// The gradient of a line between two ends, which belong to it, and of a constant outside; each {1}.
struct Line {
  Tensor low, high, slope;
};
struct LinearGrad {
  Tensor dx;          // slope dy on the line, else 0
  Tensor sum, sum_x;  // of dx, and of dx x
};
LinearGrad linear_grad(const Tensor& x, const Line& line, const Tensor& dy);

/// Entries that are whole numbers of `range`, as bytes of the host: int8 where it begins below 0, else uint8.
Tensor look_up_codes(const Tensor& x, const Tensor& thresholds, const Tensor& entries, QuantRange range);
/// The same with entries range.low, range.low + 1, ...
Tensor look_up_places(const Tensor& x, const Tensor& thresholds, QuantRange range);

/// Levels v.e of LQ-Nets' bases v {C,bits}, rising; their midpoints; their codes e (BasisArgs).
struct BasisLevels {
  Tensor levels, midpoints, codes;  // {C,2^bits}, {C,2^bits-1}, {C,2^bits}
};
BasisLevels basis_levels(const Tensor& basis, const BasisArgs& args);
/// One step of least squares for the inputs that `sums` of look_up_with_sums() are of; writes the basis.
void basis_fit(const Tensor& codes, const Tensor& sums, const BasisFit& args, Tensor& basis);

/// LCQ's quantizer (CompandingArgs) as one table for look_up() and look_up_grad(); theta {K}, or none with K = 1.
struct Companding {
  Tensor thresholds, values, slopes, codes;
};
Companding companding(const Tensor& theta, const Tensor& alpha, const CompandingArgs& args);
/// The gradients of alpha {1} and of theta, where there is one, from the sums of look_up_grad().
struct CompandingGrad {
  Tensor dalpha, dtheta;
};
CompandingGrad companding_grad(const Tensor& theta, const Tensor& alpha, const Tensor& sums,
                               const CompandingArgs& args);

}  // namespace ntq
