#pragma once
// Pieces of HTML and SVG text.
#include <string>
#include <string_view>

namespace ntq::apps {

/// Any text (names of layers and classes, paths) as it may stand in an element or an attribute: on one line, & < > " '
/// escaped, what no screen shows written out.
std::string escaped(std::string_view text);

/// A length of a drawing, with one digit behind the point at most: "12.5", "3", never "-0".
std::string px(double length);

/// `<text class="CLASS" x= y=>TEXT</text>`; the class says size and anchor.
std::string svg_text(const char* css, double x, double y, std::string_view text);
std::string svg_line(const char* css, double x1, double y1, double x2, double y2);

/// The whole drawing; it is scaled to the width of its place.
std::string svg_of(double width, double height, std::string_view label, const std::string& content);

}  // namespace ntq::apps
