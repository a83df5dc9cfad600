// From a sweep file to its cells.
#include "apps/sweep/plan.h"

#include <doctest/doctest.h>

#include "apps/options.h"
#include "tests/support/files.h"
#include "tests/support/text.h"

using namespace ntq::apps;
using namespace ntq::test;

namespace {

SweepFile file_of(const char* json) {
  const TempFolder folder;
  write_file(folder / "x.json", json);
  return read_sweep_file(folder / "x.json");
}

Plan plan_of(const char* json, int64_t most = 1000) { return make_plan(file_of(json), most); }

/// The message of a refused file.
std::string refused_file(const char* json) {
  try {
    plan_of(json);
  } catch (const UsageError& e) {
    return e.what();
  }
  return "";
}

constexpr const char* kTwoMethods = R"({"name": "x", "options": {"dataset": "synthetic", "model": "resnet20",
  "init": "fp.bin", "act_bits": 32}, "grid": {"bits": [2, 4], "method": ["lsq", "ntq"], "seed": [0, 1]}})";

}  // namespace

TEST_CASE("a grid is the product of its lists, seeds outermost") {
  const Plan plan = plan_of(kTwoMethods);
  REQUIRE(plan.cells.size() == 8);
  const auto& first = plan.cells[0].resolved;
  CHECK(first.seed == 0);
  CHECK(first.method == "lsq");
  CHECK(first.bits_of_weights() == 2);
  CHECK(plan.cells[1].resolved.method == "ntq");
  CHECK(plan.cells[2].resolved.bits_of_weights() == 4);
  CHECK(plan.cells[4].resolved.seed == 1);
  CHECK(plan.rows == std::vector<std::string>{"lsq", "ntq"});
  CHECK(plan.columns == std::vector<std::string>{"bits"});
  CHECK(plan.column_values == std::vector<std::vector<std::string>>{{"2"}, {"4"}});
  CHECK(plan.baseline == "lsq");
}

TEST_CASE("options without an effect make no cells of their own") {
  const Plan plan = plan_of(R"({"name": "x", "options": {"dataset": "synthetic", "model": "resnet20", "init": "fp.bin",
    "bits": 4}, "grid": {"method": ["lsq", "ntq"], "noise": [0.1, 0.2, 0.3]}})");
  CHECK(plan.cells.size() == 4);
  CHECK(plan.rows == std::vector<std::string>{"lsq", "ntq noise=0.1", "ntq noise=0.2", "ntq noise=0.3"});
}

TEST_CASE("a cell's name does not depend on run options, and does on each recipe option and on its start") {
  const auto name = [](const std::string& more, const char* init = "fp.bin") {
    const std::string json = R"({"name": "x", "options": {"dataset": "synthetic", "model": "resnet20", "init": ")" +
                             std::string(init) + R"(", "bits": 4)" + more + "}}";
    return plan_of(json.c_str()).cells.back().name;
  };
  const std::string plain = name("");
  CHECK(plain.starts_with("synthetic-resnet20-w4a4-ntq-seed0-"));
  CHECK(name(R"(, "threads": 3, "workers": 0, "log_interval": 7)") == plain);
  CHECK(name(R"(, "noise": 0.2)") == plain);  // the default
  for (const char* more : {R"(, "noise": 0.1)", R"(, "epochs": 3)", R"(, "bits_of": {"fc": 8})", R"(, "seed": 1)"}) {
    CHECK(name(more) != plain);
  }
  CHECK(name("", "other.bin") != plain);
}

TEST_CASE("a full-precision stage is a cell of its own, once for all that start from it") {
  const char* json = R"({"name": "x", "options": {"dataset": "synthetic", "model": "resnet20", "epochs": 3},
    "grid": {"bits": [2, 4], "seed": [0, 1]}, "pretrain": {"seed": 5, "epochs": 7, "weight_decay": 5e-4}})";
  const Plan plan = plan_of(json);
  REQUIRE(plan.cells.size() == 5);
  const auto& start = plan.cells[0].resolved;
  CHECK_FALSE(start.quantized());
  CHECK(start.seed == 5);
  CHECK(start.epochs == 7);
  CHECK(start.weight_decay == 5e-4);
  for (size_t i = 1; i < 5; ++i) CHECK(plan.cells[i].start == std::optional<size_t>(0));
  SweepFile file = file_of(json);
  file.pretrain.reset();
  CHECK(make_plan(file, 1000).cells.size() == 6);  // one for each seed
}

TEST_CASE("rows, cases, exclusions and what the command line says") {
  SweepFile file = file_of(R"({"name": "x", "options": {"dataset": "synthetic", "model": "resnet20", "act_bits": 32},
    "grid": {"bits": [2, 8], "seed": [0]},
    "rows": [{"name": "FP", "pretrain": true}, {"name": "LSQ", "options": {"method": "lsq"}},
             {"name": "DiffQ", "options": {"method": "diffq"}}],
    "cases": [{"when": {"row": "DiffQ", "bits": 2}, "options": {"quant": {"penalty": 9}}}],
    "exclude": [{"row": "DiffQ", "bits": 8}], "table": {"baseline": "LSQ"}})");
  Plan plan = make_plan(file, 1000);
  CHECK(plan.rows == std::vector<std::string>{"FP", "LSQ", "DiffQ"});
  CHECK(plan.cells.size() == 4);  // the start, LSQ twice, DiffQ
  CHECK(plan.places.size() == 5);
  const auto& diffq = plan.cells[plan.places[2].cell].resolved;
  CHECK(diffq.quant.at("penalty").number() == 9);
  file.forced = {{"epochs", 1}};
  file.columns = {"model", "bits"};
  plan = make_plan(file, 1000);
  for (const Cell& cell : plan.cells) CHECK(cell.resolved.epochs == 1);
  CHECK(plan.column_values[1] == std::vector<std::string>{"resnet20", "8"});
}

TEST_CASE(
    "a row that matches another one's size tries all values at the first seed, and the chosen one at the others") {
  const SweepFile file = file_of(R"({"name": "x", "options": {"dataset": "synthetic", "model": "resnet20",
    "act_bits": 32, "init": "fp.bin", "bits": 2}, "grid": {"seed": [0, 1]},
    "rows": [{"name": "LSQ", "options": {"method": "lsq"}}, {"name": "DiffQ", "options": {"method": "diffq"}}],
    "match_size": {"row": "DiffQ", "like": "LSQ", "option": "quant.penalty", "values": [1, 5, 25]}})");
  CHECK(make_plan(file, 1000).cells.size() == 2 + 3);
  const Plan chosen = make_plan(file, 1000, [](const auto&) { return Json(5); });
  REQUIRE(chosen.cells.size() == 2 + 3 + 1);
  CHECK(chosen.cells.back().resolved.quant.at("penalty").number() == 5);
  CHECK(chosen.cells.back().resolved.seed == 1);
}

TEST_CASE("ntq-train understands the words of a cell as they are meant") {
  const Plan plan = plan_of(R"({"name": "x", "options": {"dataset": "synthetic", "model": "resnet20", "init": "a b.bin",
    "lr": 0.015, "weight_decay": 2.5e-05, "nesterov": true, "act_bits": 32, "bits_of": {"fc": 8, "conv1": "fp"},
    "quant": {"border": "inside", "noise_k": 10}, "mean": "0.5,0.5,0.5"}, "grid": {"bits": [2]}})");
  std::vector<std::string> words = train_words(plan.cells[0].given);
  words.insert(words.begin(), "ntq-train");
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  const auto parsed = parse_train_command(static_cast<int>(argv.size()), argv.data());
  REQUIRE(parsed);
  CHECK(config_to_json(parsed->config, JsonPart::all) == config_to_json(plan.cells[0].resolved, JsonPart::all));
  CHECK(contains(shell_line(words), "'a b.bin'"));
}

TEST_CASE("bad files are refused in one line that says where") {
  CHECK(contains(refused_file(R"({"name": "x", "grit": {}})"), "unknown key \"grit\"; did you mean 'grid'?"));
  CHECK(contains(refused_file(R"({"name": "x", "grid": {"bitz": [2]}})"),
                 "'grid': unknown key 'bitz'; did you mean 'bits'?"));
  CHECK(
      contains(refused_file(R"({"name": "x", "grid": {"bits": ["a"]}})"), "'bits': expected an integer, found \"a\""));
  CHECK(contains(refused_file(R"({"name": "x", "grid": {"bits": 2}})"), "'bits': expected a list, found 2"));
  CHECK(contains(refused_file(R"({"name": "../x"})"), "'name': expected the name of a folder"));
  CHECK(contains(refused_file(R"({"name": "x", "options": {"output": "y"}})"),
                 "'output': runs lie in the sweep's folder"));
  CHECK(contains(refused_file(R"({"name": "x", "rows": [{"name": "a"}], "exclude": [{"row": "b"}]})"),
                 "no row is named \"b\""));
  CHECK(contains(refused_file(R"({"name": "x", "options": {"dataset": "synthetic", "model": "resnet20"},
                             "grid": {"bits": [2, 9]}})"),
                 "--bits: expected 2 to 8, or 32 for full precision, found 9 (cell bits=9)"));
  CHECK(contains(refused_file("{\"name\": \"x\","), "not valid JSON"));
}

TEST_CASE("conditions and columns of the paper's that nothing can match are refused") {
  const auto refused = [](const std::string& more) {
    const std::string json = R"({"name": "x", "options": {"dataset": "synthetic", "model": "resnet20", "init": "f.bin"},
      "grid": {"bits": [2, 4], "seed": [0]}, "rows": [{"name": "a", "options": {"quant.noise": 0.1}}],
      "cases": [{"when": {"bits": 2}, "options": {"epochs": 3}}])" +
                             more + "}";
    return refused_file(json.c_str());
  };
  CHECK(
      contains(refused(R"(, "exclude": [{"row": "a", "weight_bits": 2}])"),
               "x.json: 'exclude'[1]: \"weight_bits\" is set nowhere, so that this never holds; expected some of row, "
               "dataset, model, init, bits, seed, quant.noise, epochs"));
  CHECK(contains(refused(R"(, "exclude": [{"bits": 2}, {"bits": 3}])"),
                 "'exclude'[2]: \"bits\": expected a value that a cell has (2, 4), found \"3\""));
  CHECK(contains(refused(R"(, "paper": {"top1": {"a": {"2": 1, "synthetic 4": 2}}})"),
                 "'paper': 'top1': \"a\": expected columns as bits (2, 4), found \"synthetic 4\""));
  CHECK(
      contains(refused(R"(, "table": {"columns": ["dataset", "bits"]}, "paper": {"top5": {"b": {"synthetic 3": 1}}})"),
               "expected columns as dataset (synthetic) bits (2, 4), found \"synthetic 3\""));
  // What a case or a row gives is there as well; a row may be the paper's alone.
  for (const char* fine :
       {R"(, "exclude": [{"epochs": 3}])", R"(, "exclude": [{"row": "a", "bits": 4}])",
        R"(, "exclude": [{"quant.noise": 0.1, "bits": 2}])",
        R"(, "table": {"columns": ["dataset", "bits"]}, "paper": {"top5": {"b": {"synthetic 2": 1}}})"}) {
    CHECK_MESSAGE(refused(fine) == "", fine);
  }
}

TEST_CASE("a condition on a value that the command line takes away is no error, nor is the file that is kept then") {
  const char* json = R"({"name": "x", "options": {"dataset": "synthetic", "model": "resnet20", "init": "fp.bin"},
    "grid": {"bits": [2, 4]}, "cases": [{"when": {"bits": 2}, "options": {"epochs": 3}}],
    "paper": {"top1": {"ntq": {"2": 90}}}})";
  SweepFile file = file_of(json);
  file.grid.erase("bits");
  file.forced = {{"bits", 4}};
  CHECK(make_plan(file, 1000).cells.size() == 1);
  const TempFolder folder;
  write_file(folder / kKeptSweepFile, to_json(file).dump());
  CHECK(make_plan(read_sweep_file(folder / kKeptSweepFile), 1000).cells.size() == 1);
}

TEST_CASE("a grid of a million cells is refused before it is made") {
  SweepFile file = file_of(kTwoMethods);
  file.grid["seed"] = Json::array();
  for (int i = 0; i < 250'000; ++i) file.grid["seed"].push_back(i);
  std::string message;
  try {
    make_plan(file, 1000);
  } catch (const UsageError& e) {
    message = e.what();
  }
  CHECK(message == "a grid of 1000000 cells, the limit is 1000; take fewer values, or raise --max-cells");
}
