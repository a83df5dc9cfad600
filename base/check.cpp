#include "base/check.h"

namespace ntq {

void fail_check(const Condition& where, const std::string& message) {
  std::string file = where.file;
  if (const auto slash = file.find_last_of('/'); slash != std::string::npos) file.erase(0, slash + 1);
  throw WrongCall(message, concat(file, ":", where.line));
}

}  // namespace ntq
