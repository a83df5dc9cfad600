#pragma once
// Text as a number.
#include <charconv>
#include <optional>
#include <string_view>

namespace ntq {

/// All of `text`, whole numbers in base 10 unless `base` says otherwise; nothing where it is no number, has more than
/// one in it, or does not fit the type.
template <class T, class... Base>
std::optional<T> to_number(std::string_view text, Base... base) {
  T value{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base...);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

}  // namespace ntq
