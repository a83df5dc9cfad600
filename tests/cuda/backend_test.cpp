// What the backend refuses before a kernel or cuDNN sees it.
#include "engine/backend/cuda/cuda_backend.h"
#include "tests/cuda/device.h"
#include "tests/support/text.h"

namespace ntq::cuda {
namespace {

TEST_CASE("convolutions of 2^31 elements are refused, those of one less are not too large") {
  BackendError refusal;
  CudaBackend backend(Stream::open(0, refusal));
  const auto view = [](int64_t size) { return View{nullptr, DType::f32, size}; };
  const ConvGeometry g;
  const int64_t large = int64_t{1} << 31;
  for (const int which : {0, 1, 2}) {
    CAPTURE(which);
    const View x = view(which == 0 ? large : 1), w = view(which == 1 ? large : 1), y = view(which == 2 ? large : 1);
    for (const int pass : {0, 1, 2}) {
      CAPTURE(pass);
      if (pass == 0) backend.conv2d(g, x, w, y);
      if (pass == 1) backend.conv2d_grad_input(g, y, w, x);
      if (pass == 2) backend.conv2d_grad_weight(g, y, x, w);
      const BackendError error = backend.take_error();
      CHECK(error.code == BackendError::Code::unsupported);
      CHECK(test::contains(error.text, "2^31 elements or more; try a smaller batch"));
    }
  }
  // codes of the largest size that is taken: the floats they become are what there is no memory for
  backend.conv2d(g, ConstView{nullptr, DType::u8, large - 1}, view(1), view(1));
  CHECK(backend.take_error().code == BackendError::Code::out_of_memory);
}

}  // namespace
}  // namespace ntq::cuda
