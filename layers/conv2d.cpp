#include "layers/conv2d.h"

#include "engine/ops/conv.h"
#include "layers/init.h"

namespace ntq {
namespace {

const Conv2dOptions& checked(const Conv2dOptions& o) {
  constexpr int64_t kMost = int64_t{1} << 30;
  const auto fits = [](int64_t size, int64_t least) { return size >= least && size <= kMost; };
  check(
      fits(o.in_channels, 1) && fits(o.out_channels, 1) && fits(o.kernel, 1) && fits(o.stride, 1) && fits(o.padding, 0),
      "Conv2d ", o.name, ": channels, kernel and stride must be >= 1 and padding >= 0, none above 2^30, found in ",
      o.in_channels, ", out ", o.out_channels, ", kernel ", o.kernel, ", stride ", o.stride, ", padding ", o.padding);
  check(o.groups == 1, "Conv2d ", o.name, ": groups = ", o.groups, " for ", o.in_channels, " input and ",
        o.out_channels, " output channels: no kernel has groups yet; only groups = 1 is possible");
  return o;
}

}  // namespace

Conv2d::Conv2d(const Conv2dOptions& options) : options_(checked(options)) {
  const Shape filters{options.out_channels, options.kernel, options.kernel, options.in_channels};
  const std::string name = drawing_name(options.name, "layer", options.seed);
  set_up(he_normal_filters(filters, init_key(options.seed, name + ".weight")),
         options.bias ? Tensor::zeros({options.out_channels}) : Tensor(), options.weight_quant, options.input_quant,
         name);
}

void Conv2d::check_input(const Tensor& x) const {
  check(x.defined() && x.shape().rank() == 4 && x.size(3) == options_.in_channels, "Conv2d ", options_.name,
        ": input must be {N,H,W,", options_.in_channels, "}, found ", x.defined() ? x.shape().str() : "none");
  const int64_t smallest = options_.kernel - 2 * options_.padding;
  check(x.size(1) >= smallest && x.size(2) >= smallest, "Conv2d ", options_.name, ": images must be at least ",
        smallest, " pixels high and wide for kernel ", options_.kernel, " and padding ", options_.padding, ", found ",
        x.shape());
}

Tensor Conv2d::product(const LayerInput& input, const LayerInput& weight) const {
  return conv2d(input, weight, {.stride = options_.stride, .padding = options_.padding, .groups = options_.groups});
}

}  // namespace ntq
