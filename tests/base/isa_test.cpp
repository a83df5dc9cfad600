#include "base/isa.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "base/check.h"

namespace ntq::cpu {
namespace {

/// NTQ_CPU_ISA, as it was when this ends.
class IsaVariable {
 public:
  ~IsaVariable() { set(before_); }
  static void set(const std::string& value) { setenv("NTQ_CPU_ISA", value.c_str(), 1); }

 private:
  const char* const value_ = std::getenv("NTQ_CPU_ISA");
  const std::string before_ = value_ == nullptr ? "" : value_;
};

}  // namespace

TEST_CASE("the plainest instruction set runs everywhere") {
  const auto names = available_isas();
  REQUIRE_FALSE(names.empty());
  CHECK(names.front() == "portable");
  CHECK(isa_index("portable") == 0);
  for (const std::string& name : names) CHECK(all_isas()[isa_index(name)].name == name);
}

TEST_CASE("an instruction set that is not there is named, and what there is") {
  CHECK_THROWS_WITH_AS(
      isa_index("mmx"),
      doctest::Contains("instruction set 'mmx' is unknown or this processor lacks it; it can run: portable"),
      DeviceError);
}

TEST_CASE("integers and bfloat16 have the common instruction sets in their order, and what extends one behind it") {
  const auto& common = all_isas();
  for (const IsaList list : {IsaList::integers, IsaList::bf16}) {
    size_t next = 0;
    for (const Isa& isa : all_isas(list)) {
      if (isa.extends.empty()) {
        REQUIRE(next < common.size());
        CHECK(isa.name == common[next++].name);
      } else {
        CHECK(isa.extends == common[next - 1].name);
      }
    }
    CHECK(next == common.size());
  }
}

TEST_CASE("NTQ_CPU_ISA means itself, and what it extends where kernels have no more") {
  const IsaVariable variable;
  for (const IsaList list : {IsaList::integers, IsaList::bf16}) {
    const IsaList other = list == IsaList::bf16 ? IsaList::integers : IsaList::bf16;
    for (const std::string& name : available_isas(list)) {
      variable.set(name);
      CHECK(chosen_isa(list) == name);
      const std::string& extends = all_isas(list)[isa_index(name, list)].extends;
      CHECK(chosen_isa() == (extends.empty() ? name : extends));
      CHECK(chosen_isa(other) == (extends.empty() ? name : extends));
    }
  }
  variable.set("mmx");
  CHECK(chosen_isa() == "mmx");
  variable.set("");
  for (const IsaList list : {IsaList::common, IsaList::integers, IsaList::bf16})
    CHECK(chosen_isa(list) == available_isas(list).back());
}

}  // namespace ntq::cpu
