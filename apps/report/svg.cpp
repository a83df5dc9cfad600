#include "apps/report/svg.h"

#include <cmath>

#include "apps/text.h"
#include "base/check.h"
#include "base/printable.h"

namespace ntq::apps {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string px(double length) {
  const double tenths = std::round(length * 10);
  if (tenths == 0) return "0";
  std::string text = fixed(tenths / 10, 1);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text;
}

std::string svg_text(const char* css, double x, double y, std::string_view text) {
  return concat("<text class=\"", css, "\" x=\"", px(x), "\" y=\"", px(y), "\">", escaped(text), "</text>\n");
}

std::string svg_line(const char* css, double x1, double y1, double x2, double y2) {
  return concat("<path class=\"", css, "\" d=\"M", px(x1), " ", px(y1), "L", px(x2), " ", px(y2), "\"/>\n");
}

std::string svg_of(double width, double height, std::string_view label, const std::string& content) {
  return concat("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ", px(width), " ", px(height),
                "\" role=\"img\" aria-label=\"", escaped(label), "\">\n", content, "</svg>\n");
}

}  // namespace ntq::apps
