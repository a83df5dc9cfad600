#pragma once
// Numbers and names as people read them.
#include <cstdint>
#include <string>
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
/// "a, b, c".
std::string join(const std::vector<std::string>& items, const char* between = ", ");
/// The candidate within two edits of `word`, or "".
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);
/// Rows as aligned columns; the first row is the heading, the first column is left-aligned, the others right.
std::string table(const std::vector<std::vector<std::string>>& rows);

}  // namespace ntq::apps
