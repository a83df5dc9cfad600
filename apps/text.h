#pragma once
// Numbers and names as people read them.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ntq::apps {

/// "0.1250" for (0.125, 4).
std::string fixed(double value, int digits);
/// Up to `digits` significant digits: "0.01", "1e-05".
std::string general(double value, int digits = 6);
/// "12s", "3m05s", "2h07m", "5d03h".
std::string duration(double seconds);
/// "1.2 GB", "345 kB"; powers of ten.
std::string bytes_text(double bytes);
/// Line ends and the space behind them as one space each.
std::string one_line(const std::string& text);
/// Sorted as people do: resnet18 before resnet101.
std::vector<std::string> in_natural_order(std::vector<std::string> names);
/// The candidate that `word` most likely means: the same but for case and '_' or '-', then the first that begins with
/// it, then the one within two edits (of short words fewer). "" if there is none.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);
/// How wide a text is on a terminal: of UTF-8 characters, one column each, two for East Asian ones and emoji.
size_t columns(std::string_view text);
/// As much of the text as fits into so many columns; no character is cut.
std::string first_columns(std::string_view text, size_t width);
/// Rows as aligned columns; the first row is the heading, the first column is left-aligned, the others right.
std::string table(const std::vector<std::vector<std::string>>& rows);

}  // namespace ntq::apps
