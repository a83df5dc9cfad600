#pragma once
// Text of unknown origin (names, metadata, paths) made fit for a terminal, a log file and a message of one line.
#include <cstddef>
#include <string>
#include <string_view>

namespace ntq {

/// `text` on one line: control characters (C0, DEL, C1), line and paragraph separators, direction overrides and bytes
/// that are no UTF-8 as \n, \x1b, \u202e, ...; all else as it is, backslashes too, so that twice is the same as once.
/// Of a text longer than `longest` bytes the first whole characters and "...".
std::string printable(std::string_view text, size_t longest = std::string_view::npos);
/// The same of each line; line ends and tabs stay.
std::string printable_lines(std::string_view text);
/// printable() in double quotes, for messages.
std::string in_quotes(std::string_view text, size_t longest = 80);

/// Whether all of the text is UTF-8.
bool is_utf8(std::string_view text);
/// Bytes of the UTF-8 character that `text` begins with; 0 when it begins with none.
size_t utf8_length(std::string_view text);

}  // namespace ntq
