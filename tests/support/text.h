#pragma once
// Looking into messages.
#include <string>

namespace ntq::test {

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace ntq::test
