#pragma once
// The one way to values that have no kernel of their own in the type they are stored in: as float32.
#include <memory>
#include <vector>

#include "engine/backend/cpu/cpu_backend.h"

namespace ntq::cpu {

/// Views as pointers of float32 for the length of a call, sizes asserted: float32 as it is, without a cost; bfloat16
/// widened into memory that ends with this. What is written is rounded into its view by finish().
class InFloat32 {
 public:
  explicit InFloat32(CpuBackend& backend) : backend_(backend) {}
  /// Null without memory: there is none.
  const float* in(ConstView view, int64_t size);
  /// What it holds before is not read.
  float* out(View view, int64_t size);
  void finish();

 private:
  struct Written {
    const Scratch* wide;
    View view;
  };
  CpuBackend& backend_;
  std::vector<std::unique_ptr<Scratch>> memory_;
  std::vector<Written> written_;
};

}  // namespace ntq::cpu
