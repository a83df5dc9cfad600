// A module library is compiled against these headers, perhaps months before the program that loads it. The version is
// all that tells them apart: a change here that leaves it as it is would call the wrong functions.
#include <doctest/doctest.h>

#include <cstdint>
#include <sstream>

#include "tests/house/sources.h"

namespace ntq::house {
namespace {

/// The version and the fingerprint that belongs to it.
constexpr const char* kVersion = "kBackendInterface=9;";
constexpr uint64_t kFingerprint = 11036656227687330535U;

/// Without comments and spaces.
std::string bare(const std::string& text) {
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    for (const char c : line.substr(0, line.find("//"))) {
      if (c != ' ') out += c;
    }
  }
  return out;
}

/// FNV-1a.
uint64_t fingerprint_of(const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const unsigned char c : text) hash = (hash ^ c) * 0x100000001b3;
  return hash;
}

}  // namespace

TEST_CASE("what crosses the border of module libraries does not change without its version") {
  std::string text;
  for (const char* name : {"dtype.h", "random.h", "backend/view.h", "backend/args.h", "backend/memory.h",
                           "backend/primitives.h", "backend/backend.h", "backend/module_interface.h"}) {
    text += bare(test::read_file(std::filesystem::path(NTQ_SOURCE_DIR) / "engine" / name));
  }
  CHECK(text.find(kVersion) != std::string::npos);
  CHECK_MESSAGE(fingerprint_of(text) == kFingerprint,
                "raise kBackendInterface (engine/backend/module_interface.h), unless nothing but the body of a default "
                "or a helper differs; the fingerprint is now ",
                fingerprint_of(text));
}

}  // namespace ntq::house
