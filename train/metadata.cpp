#include <bit>
#include <charconv>

#include "base/check.h"
#include "base/printable.h"
#include "train/checkpoint.h"

namespace ntq {
namespace {

/// All of `text` as a number.
template <class T>
bool parse(const std::string& text, T& number, int base) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() && stop == text.data() + text.size();
}

}  // namespace

const std::string& MetadataReader::text(const std::string& key) const {
  const auto found = entries_.find(key);
  if (found == entries_.end()) fail(key, "a value", "none");
  return found->second;
}

int64_t MetadataReader::integer(const std::string& key, int64_t low, int64_t high) const {
  const std::string& value = text(key);
  int64_t number = 0;
  if (!parse(value, number, 10) || number < low || number > high) {
    fail(key, concat("an integer from ", low, " to ", high), value);
  }
  return number;
}

double MetadataReader::bits(const std::string& key) const {
  const std::string& value = text(key);
  uint64_t number = 0;
  if (!parse(value, number, 16) || value.size() != 16) fail(key, "16 hex digits", value);
  return std::bit_cast<double>(number);
}

void MetadataReader::fail(const std::string& key, const std::string& expected, const std::string& found) const {
  throw CheckpointError(concat(path_, ": metadata '", key, "': expected ", expected, ", found ", printable(found, 80)));
}

}  // namespace ntq
