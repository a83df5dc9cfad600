#pragma once
// The module libraries that are built for tests: tests/support/modules, tests/support/emulated.
#include <cstdlib>
#include <string>

namespace ntq::test {

/// While it lives, modules are looked for in these folders first.
class ModulePath {
 public:
  explicit ModulePath(const std::string& folders = NTQ_TEST_MODULES) { setenv("NTQ_BACKEND_PATH", folders.c_str(), 1); }
  ~ModulePath() { unsetenv("NTQ_BACKEND_PATH"); }
  ModulePath(const ModulePath&) = delete;
  ModulePath& operator=(const ModulePath&) = delete;
};

}  // namespace ntq::test
