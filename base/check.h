#pragma once
// Errors and argument checks. Every message says what, where, expected, found and what to do.
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace ntq {

/// Base of the errors that come from outside the program (files, devices, numbers), not from a wrong call.
/// Wrong calls throw std::invalid_argument. `exit_code()` is what a command ends with (docs/commands.md).
class Error : public std::runtime_error {
 public:
  Error(const std::string& what, int exit_code) : std::runtime_error(what), exit_code_(exit_code) {}
  int exit_code() const { return exit_code_; }

 private:
  int exit_code_;
};

/// A data set file is missing, truncated or holds impossible values. Exit code 3.
struct DataError : Error {
  explicit DataError(const std::string& what) : Error(what, 3) {}
};
/// A checkpoint is unreadable, damaged, of another model or of a newer version. Exit code 4.
struct CheckpointError : Error {
  explicit CheckpointError(const std::string& what) : Error(what, 4) {}
};
/// Training met a value that is not a number. Exit code 5.
struct DivergedError : Error {
  explicit DivergedError(const std::string& what) : Error(what, 5) {}
};
/// No such device or instruction set, or out of memory. Exit code 6.
struct DeviceError : Error {
  explicit DeviceError(const std::string& what) : Error(what, 6) {}
};

/// A device cannot be used because of what the user has set for it (an environment variable of its module): nothing to
/// take another device for in its place.
struct DeviceSettingError : DeviceError {
  using DeviceError::DeviceError;
};

/// A wrong call, as check() throws it. The message is for users of the program too, so the place of the check, for who
/// debugs ("shape.cpp:18"), stands beside it.
class WrongCall : public std::invalid_argument {
 public:
  WrongCall(const std::string& what, std::string place) : std::invalid_argument(what), place_(std::move(place)) {}
  const std::string& place() const { return place_; }

 private:
  std::string place_;
};

/// Joins anything printable: concat("size ", 3) == "size 3".
template <class... Args>
std::string concat(const Args&... args) {
  std::ostringstream out;
  (out << ... << args);
  return out.str();
}

/// A truth value that remembers where it was computed; made implicitly by check(). The builtins are what
/// std::source_location stands on; clang++ has that class from 16 on only.
struct Condition {
  bool holds;
  const char* file;
  int line;
  Condition(bool condition, const char* at_file = __builtin_FILE(), int at_line = __builtin_LINE())
      : holds(condition), file(at_file), line(at_line) {}
};

[[noreturn]] void fail_check(const Condition& where, const std::string& message);

/// Throws WrongCall, a std::invalid_argument, with the joined message unless `condition` holds.
template <class... Args>
void check(Condition condition, const Args&... message) {
  if (!condition.holds) fail_check(condition, concat(message...));
}

}  // namespace ntq
