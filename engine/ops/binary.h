#pragma once
// Functions of two tensors, element by element, recorded for backward. Both of one type, float32 or bfloat16, or the
// one that lies along the other float32 beside bfloat16, as a parameter does; the result has the type of the larger
// one.
//
// Broadcasting: the shapes are equal, or one operand has one element, or its axes (with ones put in front until the
// ranks are equal, as in NumPy) are those of the other on one run of neighbouring axes and 1 elsewhere: {C} or
// {1,1,1,C} beside {N,H,W,C} is a row, {N,1} beside {N,C} a column, {Cout,1,1,1} beside {Cout,Kh,Kw,Cin} one value for
// each filter. All else is std::invalid_argument. A float stands for a tensor of one element.
#include "engine/autograd.h"

namespace ntq {

/// A tensor, or a number.
class Operand {
 public:
  Operand(const Tensor& tensor) : tensor_(tensor) {}  // NOLINT: numbers and tensors alike
  Operand(float value) : value_(value) {}             // NOLINT
  /// On the device of `other` where it is a number.
  Tensor beside(const Operand& other) const;

 private:
  Tensor tensor_;
  float value_ = 0;
};

Tensor add(const Operand& a, const Operand& b);
Tensor sub(const Operand& a, const Operand& b);
Tensor mul(const Operand& a, const Operand& b);
Tensor div(const Operand& a, const Operand& b);
/// The smaller, or the larger; not a number where one is not. Where they are equal each gets half of the gradient.
Tensor min(const Operand& a, const Operand& b);
Tensor max(const Operand& a, const Operand& b);

// Masks: 1 where it holds, else 0. Their gradient is 0.
Tensor less(const Operand& a, const Operand& b);
Tensor less_equal(const Operand& a, const Operand& b);
Tensor equal(const Operand& a, const Operand& b);

/// condition != 0 ? a : b, all of one shape. The condition gets no gradient.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

}  // namespace ntq
