#include "apps/sweep/pages.h"

#include <algorithm>
#include <functional>

#include "apps/text.h"
#include "base/check.h"

namespace ntq::apps {
namespace {

using Cells = std::vector<PageCell>;
/// What a table shows of an entry.
using Show = std::function<std::string(const Entry&)>;

std::string signed_text(double value) { return (value < 0 ? "" : "+") + fixed(value, 2); }

/// Percent with two digits behind the point, all else with three that count.
std::string value_of(double value, bool percent) { return percent ? fixed(value, 2) : general(value, 3); }

/// "91.14 ±0.08 (3)"; "91.14 ±0.08 (3 of 5)" while some are open.
std::string spread_text(const BySeed& values, size_t cells, bool percent = true) {
  if (cells == 0) return "";
  const Spread spread = spread_of(values);
  if (spread.n == 0) return "open";
  const bool all = static_cast<size_t>(spread.n) == cells;
  return concat(value_of(spread.mean, percent), spread.deviation ? " ±" + value_of(*spread.deviation, percent) : "",
                " (", spread.n, all ? "" : concat(" of ", cells), ")");
}

/// Ours, then the paper's and ours less the paper's.
std::string beside_paper(const Entry& entry, const std::string& measure) {
  const bool percent = measure.starts_with("top");
  const auto also = entry.also.find(measure);
  const BySeed& values = measure == "top1" ? entry.top1 : also == entry.also.end() ? BySeed() : also->second;
  const bool has_none = values.empty() && !entry.top1.empty();  // full precision has no steps
  std::string text = has_none ? "" : spread_text(values, entry.cells, percent);
  const auto paper = entry.paper.find(measure);
  if (paper == entry.paper.end()) return text;
  text += concat(text.empty() ? "" : " ", "[", general(paper->second, 5));
  if (!values.empty()) {
    const double difference = spread_of(values).mean - paper->second;
    text += concat(" ", difference < 0 ? "" : "+", value_of(difference, percent));
  }
  return text + "]";
}

std::string title_of(const std::string& measure) {
  if (measure.starts_with("sharpness ")) return measure + ", percent";
  if (measure == "top5") return "top-5 of the last epoch";
  if (measure == "mean_step") return "mean step at the end";
  return measure == "mean_error" ? "mean |Q(w)-w| at the end" : "validation loss of the last epoch";
}

std::string difference_text(const Entry& entry) {
  if (!entry.against) return "";
  const PairedDifference& d = *entry.against;
  return concat(signed_text(d.mean), d.half_width ? " ±" + fixed(*d.half_width, 2) : "", " (", d.n, ")");
}

std::string size_text(const Entry& entry) { return entry.bytes.empty() ? "" : bytes_text(spread_of(entry.bytes).mean); }

/// Rows without anything to show are left out; nothing when all are.
void add_table(std::vector<PageTable>& out, const SweepTable& table, const std::vector<size_t>& columns,
               const std::string& what, const Show& show, bool mark = false) {
  const size_t last = table.columns.empty() ? 0 : table.columns.size() - 1;
  const std::string group = column_text(table, columns[0], 0, last);
  PageTable page{(group.empty() ? "" : group + ": ") + what, {{{""}}}};
  for (const size_t column : columns) page.rows[0].push_back({column_text(table, column, last, 1)});
  for (size_t row = 0; row < table.rows.size(); ++row) {
    Cells cells = {{table.rows[row]}};
    bool empty = true;
    for (const size_t column : columns) {
      const Entry& entry = table.entries[row][column];
      cells.push_back({show(entry), mark && entry.best, mark && entry.equal});
      empty = empty && cells.back().text.empty();
    }
    if (!empty) page.rows.push_back(std::move(cells));
  }
  if (page.rows.size() > 1) out.push_back(std::move(page));
}

}  // namespace

std::vector<PageTable> page_tables(const SweepTable& table) {
  std::vector<PageTable> out;
  for (const auto& columns : column_groups(table)) {
    add_table(
        out, table, columns, "top-1 of the last epoch, mean ±deviation (seeds) [paper, ours less the paper's]",
        [](const Entry& e) { return beside_paper(e, "top1"); }, true);
    if (!table.baseline.empty()) {
      add_table(out, table, columns, concat("top-1 less that of ", table.baseline, ", ±95% interval (pairs of a seed)"),
                difference_text);
    }
    for (const auto& measure : table.also) {
      add_table(out, table, columns, title_of(measure), [&](const Entry& e) { return beside_paper(e, measure); });
    }
    add_table(out, table, columns, "top-1 of the best epoch, which the validation images chose",
              [](const Entry& e) { return e.best_top1.empty() ? "" : spread_text(e.best_top1, e.cells); });
    add_table(out, table, columns, "size as deployed", size_text);
  }
  return out;
}

std::string console_page(const SweepTable& table) {
  std::string out = table.title + "\n";
  for (const PageTable& page : page_tables(table)) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& row : page.rows) {
      rows.emplace_back();
      for (const PageCell& cell : row) rows.back().push_back(cell.text + (cell.best ? " *" : cell.equal ? " =" : ""));
    }
    if (table.columns.empty()) rows.erase(rows.begin());  // there is one column, without a name
    out += "\n" + page.title + "\n" + apps::table(rows);
  }
  out += "\n*: best of its column; =: the seeds do not tell it from the best (paired 95% interval)\n";
  for (const auto& note : table.notes) out += "- " + note + "\n";
  return out;
}

std::string markdown_page(const SweepTable& table) {
  const auto clean = [](std::string text) {
    for (size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
    return text;
  };
  std::string out = "# " + table.title + "\n";
  for (const PageTable& page : page_tables(table)) {
    out += "\n" + page.title + "\n\n";
    for (size_t i = 0; i < page.rows.size(); ++i) {
      out += "|";
      for (const PageCell& cell : page.rows[i]) {
        const char* before = cell.best ? "**" : cell.equal ? "<u>" : "";
        const char* behind = cell.best ? "**" : cell.equal ? "</u>" : "";
        out += concat(" ", before, clean(cell.text), behind, " |");
      }
      out += "\n";
      if (i > 0) continue;
      out += "|---|";
      for (size_t c = 1; c < page.rows[0].size(); ++c) out += "---:|";
      out += "\n";
    }
  }
  out += "\nBold: best of its column; underlined: the seeds do not tell it from the best (paired 95% interval).\n";
  for (const auto& note : table.notes) out += "- " + note + "\n";
  return out;
}

}  // namespace ntq::apps
