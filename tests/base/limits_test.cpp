#include "base/limits.h"

#include <doctest/doctest.h>

#include "base/isa.h"

using namespace ntq;

TEST_CASE("machine_limit: every instruction set has multiply-adds, and dots where it has the instruction") {
  for (const std::string& isa : cpu::available_isas(cpu::IsaList::integers)) {
    CAPTURE(isa);
    const double fma = machine_limit(Limit::fma, isa, 1), bytes = machine_limit(Limit::byte_dot, isa, 1);
    CHECK(fma > 0.01);
    CHECK(fma < 10'000);
    CHECK((bytes > 0) == (isa != "portable"));
    CHECK(machine_limit(Limit::bf16_dot, isa, 1) == 0);
  }
  for (const std::string& isa : cpu::available_isas(cpu::IsaList::bf16)) {
    CAPTURE(isa);
    CHECK((machine_limit(Limit::bf16_dot, isa, 1) > 0) == (isa == "avx512bf16"));
  }
}

TEST_CASE("machine_limit: without an instruction set it is that of the kernels which are held against it") {
  CHECK(limit_isa(Limit::fma) == cpu::chosen_isa());
  CHECK(limit_isa(Limit::bf16_dot) == cpu::chosen_isa(cpu::IsaList::bf16));
  CHECK(limit_isa(Limit::byte_dot) == cpu::chosen_isa(cpu::IsaList::integers));
  CHECK(machine_limit(Limit::fma, 1) > 0.01);
  CHECK((machine_limit(Limit::bf16_dot, 1) > 0) == (cpu::chosen_isa(cpu::IsaList::bf16) == "avx512bf16"));
}

TEST_CASE("machine_limit: a copy, on one thread and on several") {
  CHECK(machine_limit(Limit::copy, "portable", 1) > 0.1);
  CHECK(machine_limit(Limit::copy, "portable", 3) > 0.1);
}
