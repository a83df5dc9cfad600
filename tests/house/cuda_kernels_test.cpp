// A kernel's body that asks which compiler reads it would be another one on a GPU than where it is tested.
#include <doctest/doctest.h>

#include <regex>

#include "tests/house/sources.h"

namespace ntq::house {
namespace {

/// What the text of a file in engine/backend/cuda may not hold; empty: nothing is wrong.
std::string forbidden_in(const std::string& path, const std::string& text) {
  if (text.find("__CUDA_ARCH__") != std::string::npos) return "__CUDA_ARCH__";
  const bool is_seam = path == "engine/backend/cuda/launch.h";
  if (!is_seam && text.find("__CUDACC__") != std::string::npos) return "__CUDACC__";
  static const std::regex define("#\\s*define\\s+(\\w+)"), condition("#\\s*(if|ifdef|ifndef|elif)\\b"),
      device("\\b(__shfl\\w*|atomic[A-Z]\\w*|__syncthreads|__ldg)\\b");
  std::smatch found;
  if (!is_seam && std::regex_search(text, found, define)) return found[1].str() + ", a macro";
  if (!is_seam && std::regex_search(text, found, condition)) return "#" + found[1].str() + ", another text for nvcc";
  if (!is_seam && std::regex_search(text, found, device)) return found[1].str() + ", which Thread has not";
  return "";
}

}  // namespace

TEST_CASE("kernels are the same for a GPU and for the emulated device") {
  int kernels = 0;
  for (const Source& source : all_sources()) {
    if (source.path.rfind("engine/backend/cuda/", 0) != 0) continue;
    kernels += source.path.find("/kernels/") != std::string::npos ? 1 : 0;
    const std::string wrong = forbidden_in(source.path, source.text);
    CHECK_MESSAGE(wrong.empty(), source.path, " has ", wrong);
  }
  CHECK(kernels > 5);
  CHECK_FALSE(forbidden_in("engine/backend/cuda/kernels/x.h", "#if __CUDA_ARCH__ >= 900\n").empty());
  CHECK_FALSE(forbidden_in("engine/backend/cuda/kernels/x.h", "# define X 1\n").empty());
  CHECK_FALSE(forbidden_in("engine/backend/cuda/kernels/x.h", "#ifdef __NVCC__\n").empty());
  CHECK_FALSE(forbidden_in("engine/backend/cuda/kernels/x.h", "atomicAdd(sum, x);").empty());
  CHECK(forbidden_in("engine/backend/cuda/kernels/x.h", "thread.sync();").empty());
}

}  // namespace ntq::house
