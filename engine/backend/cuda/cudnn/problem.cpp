#include "engine/backend/cuda/cudnn/problem.h"

#include <sstream>

namespace ntq::cudnn {

std::string name_of(Direction direction) {
  switch (direction) {
    case Direction::forward: return "forward";
    case Direction::grad_input: return "grad_input";
    default: return "grad_weight";
  }
}

std::string name_of(Arithmetic arithmetic) {
  switch (arithmetic) {
    case Arithmetic::float32: return "float32";
    case Arithmetic::tf32: return "tf32";
    default: return "bf16";
  }
}

std::string Problem::describe() const {
  const ConvGeometry& g = geometry;
  std::ostringstream out;
  out << name_of(direction) << " of {" << g.batch << "," << g.in_h << "," << g.in_w << "," << g.in_c << "} by {"
      << g.out_c << "," << g.kernel_h << "," << g.kernel_w << "," << g.in_c / g.groups << "}, stride " << g.stride
      << ", padding " << g.pad << ", " << name_of(arithmetic);
  if (g.groups != 1) out << ", " << g.groups << " groups";
  return out.str();
}

}  // namespace ntq::cudnn
