// The page of a sweep: text and tables, no script.
#include "apps/sweep/pages.h"
#include "base/check.h"

namespace ntq::apps {
namespace {

constexpr const char* kStyle =
    R"(:root { color-scheme: light dark; --ink: #1c1e21; --paper: #fff; --line: #d0d4da; --soft: #5f6670; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --paper: #16181b; --line: #3a3f46; --soft: #9aa2ad; } }
body { margin: 2rem auto; max-width: 70rem; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
h1 { font-size: 1.4rem; } h2 { font-size: 1rem; margin: 2rem 0 .5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
th { color: var(--soft); font-weight: 600; }
.best { font-weight: 700; } .equal { text-decoration: underline; }
footer { margin-top: 2rem; color: var(--soft); })";

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : std::string(1, c);
  }
  return out;
}

std::string html_table(const PageTable& page) {
  std::string out = concat("<h2>", escaped(page.title), "</h2>\n<div class=\"wide\"><table>\n");
  for (size_t i = 0; i < page.rows.size(); ++i) {
    const char* tag = i == 0 ? "th" : "td";
    out += "<tr>";
    for (const PageCell& cell : page.rows[i]) {
      const char* kind = cell.best ? " class=\"best\"" : cell.equal ? " class=\"equal\"" : "";
      out += concat("<", tag, kind, ">", escaped(cell.text), "</", tag, ">");
    }
    out += "</tr>\n";
  }
  return out + "</table></div>\n";
}

}  // namespace

std::string html_page(const SweepTable& table) {
  const std::string title = escaped(table.title);
  std::string out = concat("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
                           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>", title,
                           "</title>\n<style>\n", kStyle, "\n</style>\n</head>\n<body>\n<h1>", title, "</h1>\n");
  for (const PageTable& page : page_tables(table)) out += html_table(page);
  out +=
      "<footer><p><b>Bold</b>: best of its column; <u>underlined</u>: the seeds do not tell it from the best (paired "
      "95% interval).</p>\n";
  for (const auto& note : table.notes) out += concat("<p>", escaped(note), "</p>\n");
  return out + "</footer>\n</body>\n</html>\n";
}

}  // namespace ntq::apps
