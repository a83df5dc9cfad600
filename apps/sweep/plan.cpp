#include "apps/sweep/plan.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "apps/sweep/plan_rows.h"
#include "apps/sweep/sweep_check.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/printable.h"
#include "base/text.h"

namespace ntq::apps {
namespace {

using Names = std::vector<std::string>;

bool stands_in(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// One point of the grid and a row: what its cell is told.
struct Point {
  Json grid;     ///< option -> value
  Json options;  ///< all of them
  const SweepRow* row = nullptr;
};

class Expansion {
 public:
  Expansion(const SweepFile& file, const Choice& choice) : file_(file), choice_(choice) {
    plan_.columns = columns_of(file);
    // Seeds vary slowest: a whole table exists early.
    if (file.grid.contains("seed")) keys_.emplace_back("seed");
    for (const auto& entry : file.grid.items()) {
      if (entry.key() != "seed") keys_.push_back(entry.key());
    }
    rows_ = file.rows;
    if (rows_.empty()) rows_.emplace_back();
  }

  Plan run(int64_t most) {
    check_names();
    double size = static_cast<double>(rows_.size());
    for (const auto& key : keys_) size *= static_cast<double>(file_.grid[key].size());
    if (file_.size) size += static_cast<double>(file_.size->values.size());
    if (size > static_cast<double>(most)) {
      throw UsageError(concat("a grid of ", general(size, 12), " cells, the limit is ", most,
                              "; take fewer values, or raise --max-cells"));
    }
    expand(0, Json::object());
    if (plan_.places.empty()) throw UsageError(file_.where + ": 'exclude' leaves no cell");
    if (file_.rows.empty()) join_equal_rows(plan_, parts_);
    plan_.baseline = baseline_of(file_.baseline, plan_);
    return std::move(plan_);
  }

 private:
  void check_names() const {
    Names names;
    for (const auto& row : file_.rows) {
      if (stands_in(names, row.name)) throw UsageError(concat(file_.where, ": two rows named ", in_quotes(row.name)));
      names.push_back(row.name);
    }
    const auto known = [&](const std::string& name) {
      if (!stands_in(names, name)) {
        throw UsageError(concat(file_.where, ": no row is named ", in_quotes(name), "; rows are ", join(names)));
      }
    };
    for (const auto& one : file_.cases) {
      if (one.when.contains("row")) known(option_text(one.when["row"]));
    }
    for (const auto& one : file_.exclude) {
      if (one.contains("row")) known(option_text(one["row"]));
    }
    check_condition_keys(file_);
    if (file_.size) known(file_.size->row), known(file_.size->like);
    for (const auto& column : plan_.columns) {
      const bool there = stands_in(keys_, column) || file_.options.contains(column) || file_.forced.contains(column);
      if (!there || column == "seed") {
        throw UsageError(
            concat(file_.where, ": the column ", in_quotes(column), " is no option of the grid: ", join(keys_)));
      }
    }
  }

  void expand(size_t at, const Json& grid) {
    if (at == keys_.size()) {
      for (const auto& row : rows_) add_row(grid, row);
      return;
    }
    for (const Json& value : file_.grid[keys_[at]]) {
      Json more = grid;
      more[keys_[at]] = value;
      expand(at + 1, more);
    }
  }

  void add_row(const Json& grid, const SweepRow& row) {
    Point point{grid, file_.options, &row};
    put_options(point.options, grid);
    put_options(point.options, row.options);
    put_options(point.options, file_.forced);  // for the cases to see, and above what they say
    for (const auto& one : file_.cases) {
      if (holds(one.when, row.name, point.options)) put_options(point.options, one.options);
    }
    put_options(point.options, file_.forced);
    const bool excluded = std::any_of(file_.exclude.begin(), file_.exclude.end(),
                                      [&](const Json& one) { return holds(one, row.name, point.options); });
    if (excluded) return;
    if (!file_.size || file_.size->row != row.name) return add(point, {});
    const Json chosen = choice_ ? choice_(column_of(point)) : Json();
    const bool tries = !first_seed_ || *first_seed_ == seed_of(point);
    if (tries) first_seed_ = seed_of(point);
    for (const Json& value : file_.size->values) {
      if (!tries && value != chosen) continue;
      Point one = point;
      put_options(one.options, Json{{file_.size->option, value}});
      add(one, value);
    }
  }

  static int64_t seed_of(const Point& point) { return point.options.value("seed", int64_t{0}); }

  Names column_of(const Point& point) const {
    Names out;
    for (const auto& key : plan_.columns) {
      out.push_back(option_text(point.grid.contains(key) ? point.grid[key] : point.options.value(key, Json())));
    }
    return out;
  }

  void add(const Point& point, const Json& option) {
    Place place{.row = "", .column = column_of(point), .cell = cell_of(point), .option = option};
    place.row = label_of(point, plan_.cells[place.cell].resolved);
    place.seed = plan_.cells[place.cell].resolved.seed;  // a full-precision stage may have one for all
    if (!placed_.emplace(place.cell, place.row, place.column).second) return;
    if (!stands_in(plan_.rows, place.row)) {
      plan_.rows.push_back(place.row);
      if (point.row->pretrain) plan_.full_precision.push_back(place.row);
    }
    const auto& columns = plan_.column_values;
    if (std::find(columns.begin(), columns.end(), place.column) == columns.end()) {
      plan_.column_values.push_back(place.column);
    }
    plan_.places.push_back(std::move(place));
  }

  /// The row's name, and the grid's options that are neither columns nor the seed.
  std::string label_of(const Point& point, const TrainConfig& config) {
    Names parts;
    if (!point.row->name.empty()) parts.push_back(point.row->name);
    for (const auto& key : keys_) {
      const bool varies = file_.grid[key].size() > 1 && key != "seed" && !stands_in(plan_.columns, key);
      if (varies) parts.push_back(value_text(key, option_text(point.grid[key])));
    }
    if (parts.empty()) parts.push_back(config.quantized() ? config.method : "full precision");
    const std::string label = join(parts, " ");
    parts_[label] = parts;
    return label;
  }

  size_t cell_of(const Point& point) try {
    TrainConfig given;
    apply_json(given, point.options, file_.where);
    validate(given);
    const TrainConfig resolved = resolve(given);
    if (!resolved.two_stages()) {
      if (point.row->pretrain) throw UsageError("no full-precision stage comes before this cell");
      return keep(make_cell(given));
    }
    TrainConfig fp = stages_of(resolved).front();
    if (file_.pretrain) {
      apply_json(fp, *file_.pretrain, file_.where + ": 'pretrain'");
      apply_json(fp, pretrain_part(file_.forced), "command line");
    }
    const size_t start = keep(make_cell(fp));
    if (point.row->pretrain) return start;
    given.init = "last.bin";  // whose path is known when it is there
    given.pretrain_epochs.reset();
    given.pretrain_lr = TrainConfig().pretrain_lr;
    Cell cell = make_cell(given, start, plan_.cells[start].name);
    cell.given.init.reset();
    return keep(std::move(cell));
  } catch (const UsageError& e) {
    throw UsageError(concat(
        e.what(), " (cell ", point.row->name, point.row->name.empty() ? "" : " ",
        join(point.grid.items(), " ", [](const auto& entry) { return entry.key() + "=" + option_text(entry.value()); }),
        ")"));
  }

  /// What the command line says of the full-precision stage, which is not what it says of the cells alone.
  static Json pretrain_part(Json forced) {
    for (const char* key : {"epochs", "lr", "sched", "seed", "method", "bits", "weight_bits", "act_bits", "quant"}) {
      forced.erase(key);
    }
    for (const auto& [key, own] : {std::pair("pretrain_epochs", "epochs"), std::pair("pretrain_lr", "lr")}) {
      if (forced.contains(key)) forced[own] = forced[key];
      forced.erase(key);
    }
    return forced;
  }

  size_t keep(Cell cell) {
    const auto [found, fresh] = index_.try_emplace(cell.name, plan_.cells.size());
    if (fresh) plan_.cells.push_back(std::move(cell));
    return found->second;
  }

  const SweepFile& file_;
  const Choice& choice_;
  Names keys_;
  std::vector<SweepRow> rows_;
  Plan plan_;
  std::optional<int64_t> first_seed_ = {};    // that tries several options
  std::map<std::string, size_t> index_ = {};  // cell by name
  RowParts parts_ = {};                       // row -> what its label is made of
  std::set<std::tuple<size_t, std::string, Names>> placed_ = {};
};

}  // namespace

std::string value_text(const std::string& option, const std::string& value) {
  if (option == "bits") return value == "32" ? "full precision" : value + " bits";
  if (option == "weight_bits") return "W" + value;
  if (option == "act_bits") return "A" + value;
  if (option == "dataset" || option == "model" || option == "method") return value;
  return option + "=" + value;
}

Plan make_plan(const SweepFile& file, int64_t most, const Choice& choice) { return Expansion(file, choice).run(most); }

}  // namespace ntq::apps
