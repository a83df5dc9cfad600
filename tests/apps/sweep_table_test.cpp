// The table of a sweep, from states that are given.
#include "apps/sweep/table.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "apps/report/sweep_page.h"
#include "apps/sweep/answers.h"
#include "apps/sweep/pages.h"
#include "tests/support/files.h"
#include "tests/support/text.h"

using namespace ntq::apps;
using namespace ntq::test;
using doctest::Approx;

namespace {

/// LSQ and NTQ at 4 bits, three seeds (docs/results.md), all done but for NTQ at 2 bits, of which one failed.
struct Example {
  SweepFile file;
  Plan plan;
  SweepState state;
  Journal journal{"/nonexistent"};

  Example() {
    file.where = "test", file.title = "LSQ <and> NTQ";
    file.options = {{"dataset", "synthetic"}, {"model", "resnet20"}, {"init", "fp.bin"}};
    file.grid = {{"bits", {4, 2}}, {"seed", {0, 1, 2}}};
    file.rows = {{"LSQ", {{"method", "lsq"}}}, {"NTQ", {{"method", "ntq"}}}};
    file.paper = {{"top1", {{"NTQ", {{"4", 91.0}}}, {"QIL", {{"4", 70.1}}}}}};
    plan = make_plan(file, 100);
    const std::map<std::string, std::vector<double>> top1 = {{"LSQ", {91.07, 90.79, 90.85}},
                                                             {"NTQ", {91.08, 91.23, 91.11}}};
    state.cells.resize(plan.cells.size());
    state.scores.resize(plan.cells.size());
    for (const Place& p : plan.places) {
      if (p.column[0] == "2" && p.row == "NTQ") {
        if (p.seed == 1) state.cells[p.cell] = {CellState::failed, {}, Failure{5, "layer1, \"bn\""}};
        continue;
      }
      state.cells[p.cell] = {CellState::done, RunFolder{"runs/x"}};
      state.scores[p.cell] =
          Score{.top1 = top1.at(p.row)[static_cast<size_t>(p.seed)], .best_top1 = 92, .also = {{"top5", 99.0}}};
    }
  }
  SweepTable table() const { return make_table(file, plan, plan.places, state); }
};

}  // namespace

TEST_CASE("a table has means, the paired difference to the baseline, and the paper's values") {
  const SweepTable table = Example().table();
  CHECK(table.rows == std::vector<std::string>{"LSQ", "NTQ", "QIL"});
  const Entry &lsq = table.entries[0][0], &ntq = table.entries[1][0];
  CHECK(spread_of(ntq.top1).mean == Approx(91.14));
  REQUIRE(ntq.against);
  CHECK(ntq.against->mean == Approx(0.2367).epsilon(1e-3));
  CHECK_FALSE(lsq.against);
  CHECK(ntq.best);
  CHECK(lsq.equal);
  CHECK(ntq.paper.at("top1") == 91.0);
  CHECK(table.entries[2][0].paper.at("top1") == 70.1);
  CHECK(table.entries[1][1].top1.empty());
  CHECK(table.entries[1][1].cells == 3);
}

TEST_CASE("one seed tells no row from the best") {
  Example e;
  for (const Place& p : e.plan.places) {
    if (p.seed != 0) e.state.cells[p.cell] = {}, e.state.scores[p.cell] = {};
  }
  const SweepTable table = e.table();
  CHECK(table.entries[1][0].best);
  CHECK(table.entries[0][0].equal);
  CHECK_FALSE(table.entries[2][0].equal);  // a row of the paper's alone
}

TEST_CASE("full precision is neither the best of a column nor what others are compared with, unless asked for") {
  SweepFile file;
  file.where = "test";
  file.options = {{"dataset", "synthetic"}, {"model", "resnet20"}, {"act_bits", 32}};
  file.grid = {{"bits", {2, 4}}, {"seed", {0, 1}}};
  file.rows = {{"FP", Json::object(), true}, {"LSQ", {{"method", "lsq"}}}, {"NTQ", {{"method", "ntq"}}}};
  const Plan plan = make_plan(file, 100);
  CHECK(plan.full_precision == std::vector<std::string>{"FP"});
  CHECK(plan.baseline == "LSQ");
  SweepState state;
  state.cells.resize(plan.cells.size());
  state.scores.resize(plan.cells.size());
  for (const Place& p : plan.places) {
    const double top1 = p.row == "FP" ? 95 : p.row == "LSQ" ? 90 : 91;
    state.scores[p.cell] = Score{.top1 = top1 + static_cast<double>(p.seed) / 10, .best_top1 = 95};
  }
  const SweepTable table = make_table(file, plan, plan.places, state);
  for (const size_t column : {size_t{0}, size_t{1}}) {
    CHECK_FALSE(table.entries[0][column].best);
    CHECK_FALSE(table.entries[0][column].equal);
    CHECK(table.entries[2][column].best);
    CHECK(table.entries[0][column].against);
  }
  file.also = {"mean_step"};
  CHECK_FALSE(contains(console_page(make_table(file, plan, plan.places, state)), "open"));  // a measure that none has
  file.baseline = "FP";
  CHECK(make_plan(file, 100).baseline == "FP");
  file.rows.pop_back();
  file.rows.pop_back();
  file.baseline = "";
  CHECK(make_plan(file, 100).baseline == "");
}

TEST_CASE("pages show the same in each form") {
  const SweepTable table = Example().table();
  const Example e;
  const std::string console = console_page(table), markdown = markdown_page(table);
  const std::string html = sweep_page(e.file, {e.plan, {}, e.state}, ".");
  for (const std::string& page : {console, markdown, html}) {
    CHECK(contains(page, "91.14 ±0.08 (3) [91 +0.14]"));
    CHECK(contains(page, "+0.24 ±0.54 (3)"));
    CHECK(contains(page, "90.90 ±0.15 (3)"));
    CHECK(contains(page, "open"));
  }
  CHECK(contains(markdown, "| **91.14 ±0.08 (3) [91 +0.14]** |"));
  CHECK(contains(markdown, "| <u>90.90 ±0.15 (3)</u> |"));
  CHECK(contains(html, "<h1>LSQ &lt;and&gt; NTQ</h1>"));
  CHECK(contains(html, "prefers-color-scheme: dark"));
  CHECK(contains(html, "A dot for each seed"));
  CHECK(contains(html, "12 cells: 9 done, 2 open, 1 failed."));
}

TEST_CASE("CSV has a line for each run, JSON an object for each") {
  const Example e;
  const std::string csv = csv_text(e.plan, e.plan.places, e.table(), e.state, e.journal);
  CHECK(
      csv.starts_with("row,bits,seed,state,top1,top5,mean_step,mean_error,loss,best_top1,best_epoch,bytes,paper_top1,"
                      "seconds,run,error\n"));
  CHECK(contains(csv, "NTQ,4,1,done,91.23,99,,,,92,"));
  CHECK(contains(csv, "NTQ,2,1,failed,,,,,,,,,,,,\"layer1, \"\"bn\"\"\"\n"));
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 13);
  const Json json = sweep_json(e.plan, e.table(), e.state, e.journal);
  CHECK(json["done"] == 9);
  CHECK(json["open"] == 2);
  CHECK(json["failed"] == 1);
  CHECK(json["cells"].size() == 12);
}

TEST_CASE("a full-precision run has no step and no error") {
  const TempFolder folder;
  const auto score = [&](const char* method, int bits) {
    const Json last = {{"val_top1", 90}, {"val_top5", 99}, {"mean_step", 0.0}, {"mean_error", 0.0}};
    write_file(
        folder / "result.json",
        Json{{"method", method}, {"weight_bits", bits}, {"act_bits", 32}, {"best_top1", 91}, {"last", last}}.dump());
    return score_of(RunFolder{folder.str()})->also;
  };
  CHECK(score("fp", 32) == std::map<std::string, double>{{"top5", 99}});
  CHECK(score("lsq", 32).size() == 1);
  CHECK(score("lsq", 4).size() == 3);
}

TEST_CASE("the size that is nearest chooses") {
  Example e;
  e.file.size = SizeMatch{"NTQ", "LSQ", "noise", {0.1, 0.3}};
  e.plan = make_plan(e.file, 100);
  e.state = {};
  e.state.cells.resize(e.plan.cells.size());
  e.state.scores.resize(e.plan.cells.size());
  CHECK(choice_of(e.file, e.plan, e.state)({"4"}).is_null());
  for (const Place& p : e.plan.places) {
    const double bytes = p.row == "LSQ" ? 100 : p.option == 0.1 ? 130 : 80;
    e.state.scores[p.cell] = Score{.top1 = 90, .bytes = bytes};
  }
  CHECK(choice_of(e.file, e.plan, e.state)({"4"}) == 0.3);
}
