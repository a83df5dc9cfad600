#include "base/printable.h"

#include <array>
#include <cstdint>
#include <cstdio>

namespace ntq {
namespace {

constexpr std::string_view kCut = "...";

uint32_t byte_at(std::string_view text, size_t i) { return static_cast<unsigned char>(text[i]); }

/// Of the `length` bytes that utf8_length() found.
uint32_t code_point(std::string_view text, size_t length) {
  if (length == 1) return byte_at(text, 0);
  uint32_t point = byte_at(text, 0) & (0xffU >> (length + 1));
  for (size_t i = 1; i < length; ++i) point = point << 6 | (byte_at(text, i) & 0x3fU);
  return point;
}

/// What a terminal would obey instead of show, or what hides or reorders other text.
bool is_unsafe(uint32_t point) {
  return point < 0x20 || (point >= 0x7f && point <= 0x9f) || point == 0x061c || (point >= 0x200b && point <= 0x200f) ||
         (point >= 0x2028 && point <= 0x202e) || (point >= 0x2060 && point <= 0x206f) || point == 0xfeff ||
         (point >= 0xfff9 && point <= 0xfffb) || (point >= 0xe0000 && point <= 0xe007f);
}

std::string escaped(const char* format, uint32_t value) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

std::string escape(uint32_t point) {
  if (point == '\n') return "\\n";
  if (point == '\r') return "\\r";
  if (point == '\t') return "\\t";
  return escaped(point < 0x80 ? "\\x%02x" : point < 0x10000 ? "\\u%04x" : "\\U%08x", point);
}

std::string convert(std::string_view text, bool keep_lines) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    const uint32_t point = length == 0 ? 0 : code_point(text, length);
    if (length == 0) {
      out += escaped("\\x%02x", byte_at(text, 0));
    } else if (is_unsafe(point) && !(keep_lines && (point == '\n' || point == '\t'))) {
      out += escape(point);
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

}  // namespace

size_t utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const uint32_t first = byte_at(text, 0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xc2 && first <= 0xdf   ? 2
                        : first >= 0xe0 && first <= 0xef ? 3
                        : first >= 0xf0 && first <= 0xf4 ? 4
                                                         : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte_at(text, i) & 0xc0U) != 0x80) return 0;
  }
  const uint32_t point = code_point(text, length);  // no overlong forms, no surrogates, nothing above U+10FFFF
  const bool legal = (length != 3 || (point >= 0x800 && (point < 0xd800 || point > 0xdfff))) &&
                     (length != 4 || (point >= 0x10000 && point <= 0x10ffff));
  return legal ? length : 0;
}

std::string printable(std::string_view text, size_t longest) {
  if (text.size() <= longest) return convert(text, false);
  size_t end = 0;
  for (;;) {
    const size_t length = utf8_length(text.substr(end));
    const size_t next = end + (length == 0 ? 1 : length);
    if (next > longest) break;
    end = next;
  }
  return convert(text.substr(0, end), false).append(kCut);
}

std::string printable_lines(std::string_view text) { return convert(text, true); }

std::string in_quotes(std::string_view text, size_t longest) { return '"' + printable(text, longest) + '"'; }

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace ntq
