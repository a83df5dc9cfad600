#include "apps/sweep/sweep_file.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <sstream>

#include "apps/config.h"
#include "apps/report/facts.h"
#include "apps/sweep/sweep_check.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/input_file.h"
#include "base/printable.h"
#include "base/text.h"

namespace ntq::apps {
namespace {

using Names = std::vector<std::string>;

/// A JSON object of the file, and where it stands.
struct Part {
  const Json& json;
  std::string where;

  [[noreturn]] void fail(const std::string& expected, const Json& found) const {
    throw UsageError(concat(where, ": expected ", expected, ", found ", brief(found)));
  }
  void keys(const Names& known) const {
    if (!json.is_object()) fail("an object", json);
    for (const auto& [key, value] : json.items()) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      const std::string guess = nearest(key, known);
      throw UsageError(concat(where, ": unknown key ", in_quotes(key), "; ",
                              guess.empty() ? "allowed are " + join(known) : "did you mean '" + guess + "'?"));
    }
  }
  bool has(const char* key) const { return json.contains(key); }
  Part at(const char* key) const { return {json.at(key), concat(where, ": '", key, "'")}; }
  std::string text() const {
    if (!json.is_string()) fail("a string", json);
    return json.get<std::string>();
  }
  bool flag() const {
    if (!json.is_boolean()) fail("true or false", json);
    return json.get<bool>();
  }
  std::vector<Part> list() const {
    if (!json.is_array()) fail("a list", json);
    std::vector<Part> out;
    for (size_t i = 0; i < json.size(); ++i) out.push_back({json[i], concat(where, "[", i + 1, "]")});
    return out;
  }
  Names texts() const {
    Names out;
    for (const Part& one : list()) out.push_back(one.text());
    return out;
  }
  /// Known options, each with a value of its type.
  Json options() const {
    if (!json.is_object()) fail("an object of options", json);
    Json out = Json::object();
    put_options(out, json);
    TrainConfig tried;
    apply_json(tried, out, where);
    if (out.contains("output")) throw UsageError(where + ": 'output': runs lie in the sweep's folder; see --output");
    return out;
  }
  /// The same, and "row" beside them.
  Json condition() const {
    if (!json.is_object()) fail("an object", json);
    Json rest = json;
    rest.erase("row");
    static_cast<void>(Part{rest, where}.options());
    return json;
  }
  /// Lists of values, each checked as options() does.
  Json grid() const {
    if (!json.is_object()) fail("an object of options and lists", json);
    for (const auto& [key, values] : json.items()) {
      const Part list_of{values, concat(where, ": '", key, "'")};
      if (list_of.list().empty()) list_of.fail("one value or more", values);
      for (const Json& value : values) static_cast<void>(Part{Json{{key, value}}, where}.options());
    }
    return json;
  }
};

SweepRow row_of(const Part& part) {
  part.keys({"name", "options", "pretrain"});
  if (!part.has("name")) throw UsageError(part.where + ": a row needs a 'name'");
  SweepRow row{.name = part.at("name").text()};
  if (part.has("options")) row.options = part.at("options").options();
  row.pretrain = part.has("pretrain") && part.at("pretrain").flag();
  return row;
}

SizeMatch size_match(const Part& part) {
  part.keys({"row", "like", "option", "values"});
  for (const char* key : {"row", "like", "option", "values"}) {
    if (!part.has(key)) throw UsageError(concat(part.where, ": '", key, "' is missing"));
  }
  SizeMatch size{part.at("row").text(), part.at("like").text(), part.at("option").text(), {}};
  const Json grid = Part{Json{{size.option, part.at("values").json}}, part.where}.grid();
  for (const Json& value : grid[size.option]) size.values.push_back(value);
  return size;
}

/// row -> column -> number
void check_paper(const Part& part) {
  if (!part.json.is_object()) part.fail("an object of measures", part.json);
  Names measures = {"top1"};
  measures.insert(measures.end(), std::begin(kMeasures), std::end(kMeasures));
  for (const auto& entry : part.json.items()) {
    if (is_measure(entry.key())) measures.push_back(entry.key());
  }
  part.keys(measures);
  for (const auto& [measure, rows] : part.json.items()) {
    const Part of{rows, concat(part.where, ": '", measure, "'")};
    if (!rows.is_object()) of.fail("an object of rows", rows);
    for (const auto& [row, columns] : rows.items()) {
      const Part values{columns, concat(of.where, ": ", in_quotes(row))};
      if (!columns.is_object()) values.fail("an object of columns", columns);
      for (const auto& [column, value] : columns.items()) {
        if (!value.is_number()) values.fail(concat("a number for ", in_quotes(column)), value);
      }
    }
  }
}

void take_table(const Part& part, SweepFile& file) {
  part.keys({"columns", "baseline", "also"});
  if (part.has("columns")) file.columns = part.at("columns").texts();
  if (part.has("baseline")) file.baseline = part.at("baseline").text();
  if (!part.has("also")) return;
  file.also = part.at("also").texts();
  const Names known(std::begin(kMeasures), std::end(kMeasures));
  for (const auto& name : file.also) {
    if (is_measure(name)) continue;
    throw UsageError(concat(part.where, ": 'also': expected some of ", join(known),
                            ", \"sharpness WHERE SPACE RHO\"; found ", in_quotes(name)));
  }
}

Json parse_file(const std::string& path) {
  try {
    return parse_json(read_text_file(path), path);
  } catch (const std::exception& e) {
    throw UsageError(e.what());
  }
}

/// Each begins with an analysis; whether its options are right, ntq-analyze knows.
Names analyses_of(const Part& part) {
  const Names all = part.texts(), known(std::begin(kShownAnalyses), std::end(kShownAnalyses));
  for (const auto& text : all) {
    const Names words = words_between(text);
    if (!words.empty() && std::find(known.begin(), known.end(), words[0]) != known.end()) continue;
    throw UsageError(
        concat(part.where, ": expected one of ", join(known), " and its options, found ", in_quotes(text)));
  }
  return all;
}

}  // namespace

std::vector<std::string> words_between(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

bool is_measure(const std::string& name) {
  const Names words = words_between(name);
  return std::find(std::begin(kMeasures), std::end(kMeasures), name) != std::end(kMeasures) ||
         (words.size() == 4 && words[0] == "sharpness");
}

void put_options(Json& into, const Json& from) {
  for (const auto& [key, value] : from.items()) {
    if (key.starts_with("quant.")) {
      put_options(into, Json{{"quant", {{key.substr(6), value}}}});
    } else if (value.is_object() && into.contains(key) && into[key].is_object()) {
      for (const auto& [name, one] : value.items()) into[key][name] = one;
    } else {
      into[key] = value;
    }
  }
}

std::string option_text(const Json& value) { return value.is_string() ? value.get<std::string>() : dump_json(value); }

void check_sweep_name(const std::string& where, const std::string& name) {
  const bool plain = !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
  if (!plain || !is_utf8(name) || name[0] == '-' || printable(name) != name) {
    throw UsageError(concat(where, ": expected the name of a folder, found ", in_quotes(name)));
  }
}

SweepFile read_sweep_file(const std::string& path) {
  const Json json = parse_file(path);
  const Part part{json, path};
  part.keys({"name", "title", "notes", "options", "grid", "rows", "cases", "exclude", "pretrain", "match_size", "table",
             "analyses", "paper", "forced"});
  if (!part.has("name")) throw UsageError(path + ": 'name', that of the sweep's folder, is missing");
  SweepFile file{.where = path, .name = part.at("name").text()};
  check_sweep_name(path + ": 'name'", file.name);
  file.title = part.has("title") ? part.at("title").text() : file.name;
  if (part.has("notes")) file.notes = part.at("notes").texts();
  if (part.has("options")) file.options = part.at("options").options();
  if (part.has("forced")) file.forced = part.at("forced").options();
  if (part.has("grid")) file.grid = part.at("grid").grid();
  if (part.has("pretrain")) file.pretrain = part.at("pretrain").options();
  if (part.has("rows")) {
    for (const Part& row : part.at("rows").list()) file.rows.push_back(row_of(row));
  }
  if (part.has("cases")) {
    for (const Part& one : part.at("cases").list()) {
      one.keys({"when", "options"});
      if (!one.has("when") || !one.has("options")) throw UsageError(one.where + ": expected 'when' and 'options'");
      file.cases.push_back({one.at("when").condition(), one.at("options").options()});
    }
  }
  if (part.has("exclude")) {
    for (const Part& one : part.at("exclude").list()) file.exclude.push_back(one.condition());
  }
  if (part.has("match_size")) file.size = size_match(part.at("match_size"));
  if (part.has("analyses")) file.analyses = analyses_of(part.at("analyses"));
  if (part.has("table")) take_table(part.at("table"), file);
  if (part.has("paper")) {
    check_paper(part.at("paper"));
    file.paper = json["paper"];
  }
  // What a sweep keeps in its folder has been narrowed by a command line: conditions may have lost their values.
  if (std::filesystem::path(path).filename() != kKeptSweepFile) check_as_written(file);
  return file;
}

Json to_json(const SweepFile& file) {
  Json json = {{"name", file.name}, {"title", file.title},   {"notes", file.notes},    {"options", file.options},
               {"grid", file.grid}, {"forced", file.forced}, {"exclude", file.exclude}};
  for (const SweepRow& row : file.rows) {
    json["rows"].push_back({{"name", row.name}, {"options", row.options}, {"pretrain", row.pretrain}});
  }
  for (const SweepCase& one : file.cases) json["cases"].push_back({{"when", one.when}, {"options", one.options}});
  if (file.pretrain) json["pretrain"] = *file.pretrain;
  if (file.size) {
    json["match_size"] = {{"row", file.size->row},
                          {"like", file.size->like},
                          {"option", file.size->option},
                          {"values", file.size->values}};
  }
  json["table"] = {{"columns", file.columns}, {"baseline", file.baseline}, {"also", file.also}};
  if (!file.analyses.empty()) json["analyses"] = file.analyses;
  json["paper"] = file.paper;
  return json;
}

}  // namespace ntq::apps
