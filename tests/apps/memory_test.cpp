// Memory that runs out, wherever it does, ends a command with exit code 6 and one line.
#include <doctest/doctest.h>

#include "tests/apps/tools.h"

using namespace ntq::test;

// A sanitizer's own memory is terabytes of addresses, which no limit leaves room for.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kLimits = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kLimits = false;
#else
constexpr bool kLimits = true;
#endif
#else
constexpr bool kLimits = true;
#endif

TEST_CASE("a training that runs out of memory says so, before, in and between its parallel regions") {
  if (!kLimits) return;
  // One step needs some 500 MB; the first limit leaves no room for a second thread's stack.
  for (const char* limit : {"20000", "60000", "90000", "130000", "200000", "300000"}) {
    CAPTURE(limit);
    const TempFolder folder;
    const Outcome result =
        run("ntq-train synthetic resnet20 --bits 4 --limit-train 256 --limit-val 16 --batch-size 128"
            " --epochs 1 --threads 2 --workers 0 --output " +
                folder / "run",
            std::string("ulimit -c 0; ulimit -v ") + limit + "; ");
    CHECK(result.code == 6);
    CHECK(lines_of(result.err) == 1);
  }
}
