#include "engine/backend/cuda/kernels/loss.h"

#include "engine/backend/cuda/cuda_backend.h"
#include "engine/backend/cuda/fold.h"

namespace ntq::cuda {
namespace {

ClassRows shape_of(const CrossEntropyArgs& args) {
  return class_rows(args.labels.size, args.labels.size > 0 ? args.logits.size / args.labels.size : 1);
}
const int32_t* labels_of(const CrossEntropyArgs& args) { return static_cast<const int32_t*>(args.labels.data); }

}  // namespace

void CudaBackend::softmax_cross_entropy(const CrossEntropyArgs& args, View loss, View dlogits) {
  const ClassRows shape = shape_of(args);
  const Scratch losses(*this, shape.rows, DType::f64);
  if (!losses) return;
  auto* const of_rows = static_cast<double*>(losses.view().data);
  stream_->launch<CrossEntropyKernel>(
      {shape.blocks(), kPartThreads, CrossEntropyKernel::kShared},
      {shape, floats(args.logits), labels_of(args), double{args.smoothing}, of_rows, floats(dlogits)});
  join_sums(*stream_, {of_rows, shape.rows, 1}, 1 / static_cast<double>(shape.rows), loss);
}

void CudaBackend::count_correct(const CrossEntropyArgs& args, int64_t top, View hits) {
  const ClassRows shape = shape_of(args);
  const Scratch of_rows(*this, shape.rows, DType::i32);
  if (!of_rows) return;
  auto* const found = static_cast<int32_t*>(of_rows.view().data);
  stream_->launch<CountCorrectKernel>({shape.blocks(), kPartThreads, CountCorrectKernel::kShared},
                                      {shape, floats(args.logits), labels_of(args), top, found});
  stream_->launch<SumHitsKernel>({1, kPartThreads, SumHitsKernel::kShared},
                                 {found, shape.rows, static_cast<int64_t*>(hits.data)});
}

}  // namespace ntq::cuda
