#include "apps/sweep/sweep_check.h"

#include <algorithm>
#include <utility>

#include "apps/config.h"
#include "base/check.h"
#include "base/printable.h"
#include "base/text.h"

namespace ntq::apps {
namespace {

using Names = std::vector<std::string>;
/// Options and values; settings of the method by themselves, as "quant.KEY". A key stands there for each of its values.
using Values = std::vector<std::pair<std::string, Json>>;

void add_values(const Json& options, Values& out) {
  for (const auto& [key, value] : options.items()) {
    if (key != "quant" || !value.is_object()) {
      out.emplace_back(key, value);
      continue;
    }
    for (const auto& [name, setting] : value.items()) out.emplace_back("quant." + name, setting);
  }
}

/// All that any cell can have.
Values values_in(const SweepFile& file) {
  Values out;
  add_values(file.options, out);
  for (const auto& [key, values] : file.grid.items()) {
    for (const Json& value : values) add_values(Json{{key, value}}, out);
  }
  for (const SweepRow& row : file.rows) add_values(row.options, out);
  for (const SweepCase& one : file.cases) add_values(one.options, out);
  add_values(file.forced, out);
  return out;
}

void add_once(Names& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

/// The values of a key as text, each once.
Names texts_of(const Values& values, const std::string& key) {
  Names out;
  for (const auto& [name, value] : values) {
    if (name == key) add_once(out, option_text(value));
  }
  return out;
}

/// Calls visit(where, key, value) for all that conditions ask of options.
template <class Visit>
void for_each_condition(const SweepFile& file, Visit&& visit) {
  const auto take = [&](const std::string& where, const Json& condition) {
    Values wanted;
    add_values(condition, wanted);
    for (const auto& [key, value] : wanted) {
      if (key != "row") visit(where, key, value);
    }
  };
  for (size_t i = 0; i < file.cases.size(); ++i) {
    take(concat(file.where, ": 'cases'[", i + 1, "]: 'when'"), file.cases[i].when);
  }
  for (size_t i = 0; i < file.exclude.size(); ++i) {
    take(concat(file.where, ": 'exclude'[", i + 1, "]"), file.exclude[i]);
  }
}

void check_condition_values(const SweepFile& file, const Values& values) {
  for_each_condition(file, [&](const std::string& where, const std::string& key, const Json& wanted) {
    const Names known = texts_of(values, key);
    // Nothing known: the command line is to set it. Objects (bits of layers) come together from several places.
    if (known.empty() || wanted.is_object()) return;
    const bool there = std::any_of(values.begin(), values.end(),
                                   [&](const auto& one) { return one.first == key && one.second == wanted; });
    if (there) return;
    throw UsageError(concat(where, ": ", in_quotes(key), ": expected a value that a cell has (", join(known),
                            "), found ", in_quotes(option_text(wanted))));
  });
}

/// Whether `text` is one value of each column from `at` on, with spaces in between.
bool is_column(const std::string& text, const std::vector<Names>& columns, size_t at = 0) {
  if (at == columns.size()) return text.empty();
  return std::any_of(columns[at].begin(), columns[at].end(), [&](const std::string& value) {
    if (!text.starts_with(value)) return false;
    const std::string rest = text.substr(value.size());
    if (at + 1 == columns.size()) return rest.empty();
    return rest.starts_with(' ') && is_column(rest.substr(1), columns, at + 1);
  });
}

void check_paper_columns(const SweepFile& file, const Values& values) {
  const Names names = columns_of(file);
  std::vector<Names> columns;
  Names known;
  for (const auto& name : names) {
    columns.push_back(texts_of(values, name));
    known.push_back(concat(name, " (", join(columns.back()), ")"));
    if (columns.back().empty()) return;  // the command line is to say
  }
  for (const auto& [measure, rows] : file.paper.items()) {
    for (const auto& [row, cells] : rows.items()) {
      for (const auto& cell : cells.items()) {
        if (is_column(cell.key(), columns)) continue;
        throw UsageError(concat(file.where, ": 'paper': '", measure, "': ", in_quotes(row), ": expected columns as ",
                                names.empty() ? "\"\"" : join(known, " "), ", found ", in_quotes(cell.key())));
      }
    }
  }
}

}  // namespace

Names columns_of(const SweepFile& file) {
  if (!file.columns.empty()) return file.columns;
  Names out;
  for (const char* key : {"model", "dataset", "bits", "weight_bits", "act_bits"}) {
    if (file.grid.contains(key) && file.grid[key].size() > 1) out.emplace_back(key);
  }
  return out;
}

bool holds(const Json& condition, const std::string& row, const Json& options) {
  Values wanted, there;
  add_values(condition, wanted);
  add_values(options, there);
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& one) {
    if (one.first == "row") return one.second == row;
    return std::find(there.begin(), there.end(), one) != there.end();
  });
}

void check_condition_keys(const SweepFile& file) {
  Names known = {"row"};
  for (const auto& one : values_in(file)) add_once(known, one.first);
  for_each_condition(file, [&](const std::string& where, const std::string& key, const Json&) {
    if (std::find(known.begin(), known.end(), key) != known.end()) return;
    throw UsageError(concat(where, ": ", in_quotes(key), " is set nowhere, so that this never holds; expected some of ",
                            join(known)));
  });
}

void check_as_written(const SweepFile& file) {
  const Values values = values_in(file);
  check_condition_values(file, values);
  check_paper_columns(file, values);
}

}  // namespace ntq::apps
