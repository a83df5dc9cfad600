#pragma once
// What a sweep is to train and to show, as a file or a command line says it.
#include <optional>
#include <string>
#include <vector>

#include "apps/json.h"

namespace ntq::apps {

/// Options here are those of ntq-train by their keys in a config file; "quant.KEY" is a setting of the method.

/// A row of the table and what is its own; `pretrain`: the full-precision networks that the others start from.
struct SweepRow {
  std::string name;
  Json options = Json::object();
  bool pretrain = false;
};

/// Options of the cells that have the values of `when`, in which "row" is a row's name.
struct SweepCase {
  Json when, options;
};

/// The cells of `row` try each of `values` for `option` at the first seed; the one whose network is nearest in size to
/// that of the row `like` is taken at all seeds.
struct SizeMatch {
  std::string row, like, option;
  std::vector<Json> values;
};

/// What else of the last epoch can be shown, as metrics.csv has it: percent, mean step, mean |Q(w)-w|, loss.
inline constexpr const char* kMeasures[] = {"top5", "mean_step", "mean_error", "loss"};
/// One of these, or "sharpness WHERE SPACE RHO" of a network that has sharpness.json.
bool is_measure(const std::string& name);
/// Between spaces.
std::vector<std::string> words_between(const std::string& text);

struct SweepFile {
  std::string where;  ///< the file, for messages
  std::string name;   ///< of the sweep's folder
  std::string title = {};
  std::vector<std::string> notes = {};
  Json options = Json::object();  ///< of all cells
  Json grid = Json::object();     ///< option -> list of values
  std::vector<SweepRow> rows = {};
  std::vector<SweepCase> cases = {};
  std::vector<Json> exclude = {};     ///< as `when`
  std::optional<Json> pretrain = {};  ///< options of the full-precision stage that are not those of its cells
  std::optional<SizeMatch> size = {};
  Json forced = Json::object();            ///< what the command line says, above all others
  std::vector<std::string> columns = {};   ///< options; none: those of widths, model and data set in the grid
  std::string baseline = {};               ///< row; "": the first
  std::vector<std::string> also = {};      ///< measures shown beside top-1
  std::vector<std::string> analyses = {};  ///< what ntq-analyze is told behind each checkpoint: "sharpness --draws 3"
  Json paper = Json::object();             ///< "top1" or another measure -> row -> column ("cifar10 4") -> value
};

/// Where a sweep's folder has what was asked for last, as a sweep file.
inline constexpr const char* kKeptSweepFile = "sweep.json";
/// What read_sweep_file() reads as the same.
Json to_json(const SweepFile& file);

/// Reads and checks everything that a command line cannot change; of a kept file (kKeptSweepFile) what each part says
/// for itself. Throws UsageError, naming the file and the key.
SweepFile read_sweep_file(const std::string& path);

/// Puts the options of `from` over those of `into`; settings and layers one by one. "quant.KEY" goes into "quant".
void put_options(Json& into, const Json& from);

/// A value as the command line has it.
std::string option_text(const Json& value);

/// A name that can be a folder's. Throws UsageError.
void check_sweep_name(const std::string& where, const std::string& name);

}  // namespace ntq::apps
