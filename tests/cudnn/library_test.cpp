// A cuDNN that is not whole or too old is told in one line.
#include <doctest/doctest.h>

#include "engine/backend/cuda/cudnn/descriptor.h"
#include "engine/backend/cuda/cudnn/library.h"

using namespace ntq;

TEST_CASE("cuDNN: the one that is installed can be used") { CHECK_NOTHROW(cudnn::require_library()); }

TEST_CASE("cuDNN: each part of it is needed, and 9.8") {
  const auto all = [](const std::string&) { return true; };
  CHECK(cudnn::why_unusable(90800, all) == "");
  CHECK(cudnn::why_unusable(91900, all) == "");
  CHECK(cudnn::why_unusable(90701, all) == "cuDNN is 9.7.1, 9.8 or later is needed; install it, or use cpu");
  for (const std::string part : {"graph", "heuristic", "engines_precompiled", "engines_runtime_compiled"}) {
    const std::string missing = "libcudnn_" + part + ".so.9";
    const auto all_but_one = [&](const std::string& name) { return name != missing; };
    CHECK(cudnn::why_unusable(91900, all_but_one) ==
          "cuDNN lacks its " + missing + "; install all of libcudnn9-cuda-13, or use cpu");
  }
}
