#pragma once
// Initial values. Each draw is a pure function of the key, so a layer's filters depend on the seed and on its name
// only.
#include <string>

#include "engine/random.h"
#include "engine/tensor.h"

namespace ntq {

/// Independent Normal(0, std) values.
Tensor normal_values(const Shape& shape, double std, const RandomKey& key);
/// Independent values, uniform in [-bound, bound).
Tensor uniform_values(const Shape& shape, double bound, const RandomKey& key);
/// Filters {Cout,Kh,Kw,Cin} from Normal(0, sqrt(2 / (Cout Kh Kw))): He et al. 2015 (arXiv 1502.01852), fan out.
Tensor he_normal_filters(const Shape& shape, const RandomKey& key);
/// The key for the initial values of the tensor of that dotted name.
RandomKey init_key(uint64_t seed, const std::string& tensor_name);

}  // namespace ntq
