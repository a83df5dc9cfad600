#include "apps/report/page.h"

#include <filesystem>

#include "apps/report/style.h"
#include "apps/report/svg.h"
#include "base/atomic_file.h"
#include "base/check.h"
#include "base/input_file.h"
#include "base/printable.h"

namespace ntq::apps {
namespace {

constexpr const char* kMark = R"(<meta name="generator" content="ntq-report">)";

/// A path as a link: what a URL would read as something else is written as %XX.
std::string link_text(const std::string& path) {
  static const char* const kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain =
        std::string_view("-_./~").find(c) != std::string_view::npos || (byte < 128 && std::isalnum(byte));
    out += plain ? std::string(1, c) : std::string{'%', kDigits[byte / 16], kDigits[byte % 16]};
  }
  return out;
}

std::string cell_html(const HtmlCell& cell, const char* tag) {
  const std::string text = escaped(cell.text);
  const std::string css = cell.css.empty() ? "" : concat(" class=\"", cell.css, "\"");
  const std::string inner = cell.link.empty() ? text : concat("<a href=\"", link_text(cell.link), "\">", text, "</a>");
  return concat("<", tag, css, ">", inner, "</", tag, ">");
}

}  // namespace

Page::Page(const std::string& title) : title_(title) {}

void Page::section(const std::string& title) { body_ += concat("<h2>", escaped(title), "</h2>\n"); }

void Page::paragraph(const std::string& text, const char* css) {
  const std::string of = *css == '\0' ? "" : concat(" class=\"", css, "\"");
  body_ += concat("<p", of, ">", escaped(text), "</p>\n");
}

void Page::preformatted(const std::string& text) {
  std::string lines;
  for (size_t begin = 0, end; begin < text.size(); begin = end + 1) {
    end = std::min(text.find('\n', begin), text.size());
    lines += escaped(text.substr(begin, end - begin)) + "\n";
  }
  body_ += concat("<pre>", lines, "</pre>\n");
}

void Page::table(const HtmlRows& rows) {
  body_ += "<div class=\"wide\"><table>\n";
  for (size_t i = 0; i < rows.size(); ++i) {
    body_ += i == 0 ? "<thead><tr>" : i == 1 ? "<tbody>\n<tr>" : "<tr>";
    for (const HtmlCell& cell : rows[i]) body_ += cell_html(cell, i == 0 ? "th" : "td");
    body_ += i == 0 ? "</tr></thead>\n" : "</tr>\n";
  }
  body_ += rows.size() > 1 ? "</tbody></table></div>\n" : "</table></div>\n";
}

void Page::figures(const std::vector<std::string>& figures, const char* css) {
  if (figures.empty()) return;
  body_ += concat("<div class=\"figures ", css, "\">\n");
  for (const auto& figure : figures) body_ += figure;
  body_ += "</div>\n";
}

std::string Page::str() const {
  return concat("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n", kMark,
                "\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>", escaped(title_),
                "</title>\n<style>\n", kStyle, "\n</style>\n</head>\n<body>\n<h1>", escaped(title_), "</h1>\n", body_,
                "<div id=\"tip\" hidden></div>\n<script type=\"application/json\" id=\"data\">", inline_json(hover_),
                "</script>\n<script>\n", kScript, "\n</script>\n</body>\n</html>\n");
}

std::string inline_json(const Json& json) {
  std::string out;
  for (const char c : dump_json(json)) out += c == '<' ? "\\u003c" : std::string(1, c);
  return out;
}

bool is_report(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;
  return InputFile(path).start(400).find(kMark) != std::string::npos;
}

void write_report(const std::string& path, const std::string& page) {
  std::error_code error;
  if (std::filesystem::exists(path, error) && !is_report(path)) {
    throw UsageError(concat(printable(path), ": is there and no report of ntq; name another file with -o"));
  }
  write_file_atomically(path, page);
}

}  // namespace ntq::apps
