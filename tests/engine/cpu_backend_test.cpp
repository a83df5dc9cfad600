// What is the CPU's alone; what every backend computes is in backend_list/.
#include "engine/backend/cpu/cpu_backend.h"

#include <doctest/doctest.h>

#include "engine/backend/cpu/winograd.h"
#include "tests/engine/backend_list/conv.h"

using namespace ntq;
using namespace ntq::test;

TEST_CASE("the list of convolutions takes the Winograd path and the direct one") {
  int winograd = 0;
  for (const ConvGeometry& g : conv_geometries()) winograd += cpu::wants_winograd(cpu::kernels_of("portable"), g);
  CHECK(winograd == 8);
  for (const std::string& isa : cpu::available_isas()) {  // whose errors docs/architecture.md states
    CHECK(conv_geometries().back().in_c == 512);
    CHECK(cpu::wants_winograd(cpu::kernels_of(isa), conv_geometries().back()));
  }
}

TEST_CASE("an instruction set that is unknown is refused with those that are there") {
  CHECK_THROWS_WITH_AS(cpu::kernels_of("mmx"), doctest::Contains("it can run: portable"), DeviceError);
  CHECK_THROWS_AS(set_cpu_threads(0), std::invalid_argument);
}
