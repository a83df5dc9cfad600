#include "base/number.h"

#include <doctest/doctest.h>

#include "base/check.h"

using namespace ntq;

TEST_CASE("to_number takes a text that is a number as a whole, and fits") {
  CHECK(to_number<int>("12") == 12);
  CHECK(to_number<int64_t>("-9") == -9);
  CHECK(to_number<uint64_t>("ff", 16) == 255u);
  CHECK(to_number<double>("1.5e-3") == 1.5e-3);
  for (const char* text : {"", " 1", "1 ", "1x", "+1", "0x1", "1.0"}) CHECK_FALSE(to_number<int>(text));
  CHECK_FALSE(to_number<double>("1,5"));
  CHECK_FALSE(to_number<int32_t>("2147483648"));
  CHECK_FALSE(to_number<uint32_t>("-1"));
}

TEST_CASE("errors carry the exit codes of docs/commands.md") {
  CHECK(DataError("").exit_code() == 3);
  CHECK(CheckpointError("").exit_code() == 4);
  CHECK(DivergedError("").exit_code() == 5);
  CHECK(DeviceError("").exit_code() == 6);
}
