#pragma once
// The module libraries that are built for tests: tests/support/modules, tests/support/emulated.
#include <cstdlib>
#include <optional>
#include <string>

namespace ntq::test {

/// While it lives, modules are looked for in these folders instead.
class ModulePath {
 public:
  explicit ModulePath(const std::string& folders = NTQ_TEST_MODULES) {
    if (const char* before = std::getenv(kName)) before_ = before;
    setenv(kName, folders.c_str(), 1);
  }
  ~ModulePath() {
    if (before_) {
      setenv(kName, before_->c_str(), 1);
    } else {
      unsetenv(kName);
    }
  }
  ModulePath(const ModulePath&) = delete;
  ModulePath& operator=(const ModulePath&) = delete;

 private:
  static constexpr const char* kName = "NTQ_BACKEND_PATH";
  std::optional<std::string> before_;
};

}  // namespace ntq::test
