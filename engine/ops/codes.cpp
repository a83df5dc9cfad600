#include "engine/ops/codes.h"

#include <cmath>

#include "engine/autograd.h"
#include "engine/ops/binary.h"
#include "engine/ops/cast.h"
#include "engine/ops/on_device.h"
#include "engine/ops/reduce.h"

namespace ntq {
namespace {

/// {C} as {C,1,...,1}, to lie along the first axis of x; one value as it is.
Tensor along_first(const Tensor& values, const Shape& x) {
  if (values.numel() == 1) return values;
  std::vector<int64_t> sizes(static_cast<size_t>(x.rank()), 1);
  sizes[0] = values.numel();
  return values.view(Shape(std::span<const int64_t>(sizes)));
}

template <class T>
Tensor look_up(const Codes& codes) {
  const Tensor& x = codes.values;
  const Tensor table = codes.grid.levels;
  const auto count = static_cast<int64_t>(codes.grid.range.high - codes.grid.range.low) + 1;
  const int64_t tables = table.numel() / count, run = x.numel() / tables;
  const auto low = static_cast<int64_t>(codes.grid.range.low);
  Tensor y = Tensor::empty(x.shape());
  for (int64_t i = 0; i < x.numel(); ++i) {
    const int64_t level = static_cast<int64_t>(x.data<T>()[i]) - low;
    check(level >= 0 && level < count, "decode: code ", low + level, " at element ", i, " has no level");
    y.f32()[i] = table.f32()[i / run * count + level];
  }
  return y;
}

}  // namespace

void check_grid(const std::string& who, const CodeGrid& grid) {
  const auto finite = [](const Tensor& values) { return !values || all_finite(values); };
  if (!finite(grid.levels)) throw DivergedError(who + ": a level is not finite");
  if (!grid.step) return;
  for (const float step : grid.step.to_vector()) {
    if (!std::isfinite(step) || step <= 0)
      throw DivergedError(concat(who, ": the step must be finite and positive, found ", step));
  }
  if (!finite(grid.offset)) throw DivergedError(who + ": the offset is not finite");
}

void check_codes(const std::string& who, const Codes& codes) {
  const auto& [range, step, offset, levels] = codes.grid;
  const Tensor& x = codes.values;
  check(x.defined() && (x.dtype() == DType::i8 || x.dtype() == DType::u8) && x.shape().rank() >= 1, who,
        ": expected codes of one byte");
  check(step.defined() != levels.defined() && !(levels.defined() && offset.defined()), who,
        ": expected either steps or a table of levels");
  if (levels.defined()) {
    const auto count = static_cast<int64_t>(range.high - range.low) + 1;
    check(levels.shape() == Shape{count} || levels.shape() == Shape{x.size(0), count}, who, ": expected ", count,
          " levels, for all or for each of ", x.size(0), " channels, found ", levels.shape());
    return check_grid(who, codes.grid);
  }
  check(step.numel() == 1 || step.shape() == Shape{x.size(0)}, who, ": expected one step, or one for each of ",
        x.size(0), " channels, found ", step.shape());
  check(!offset.defined() || offset.numel() == 1, who, ": expected one offset");
  check_grid(who, codes.grid);
}

Tensor decode(const Codes& codes) {
  if (codes.kept) {
    Tensor y = Tensor::empty(codes.values.shape(), *codes.kept, codes.values.device());
    backend_for("decode", Primitive::decode_codes, {codes.grid.step})
        .decode_codes(codes.values.view(), codes.grid.step.view(), y.view());
    return y;
  }
  if (codes.values.defined() && !codes.values.on_host()) {
    const NoGrad no_grad;
    const GraphPause pause;
    const auto here = [](const Tensor& t) { return t.defined() ? t.to(Device()) : t; };
    const auto& [range, step, offset, levels] = codes.grid;
    return decode({here(codes.values), {range, here(step), here(offset), here(levels)}}).to(codes.values.device());
  }
  check_codes("decode", codes);
  const NoGrad no_grad;
  const GraphPause pause;
  const CodeGrid& grid = codes.grid;
  if (grid.levels) return codes.values.dtype() == DType::i8 ? look_up<int8_t>(codes) : look_up<uint8_t>(codes);
  const Tensor scaled = mul(cast_f32(codes.values), along_first(grid.step, codes.values.shape()));
  return grid.offset ? add(scaled, grid.offset) : scaled;
}

}  // namespace ntq
