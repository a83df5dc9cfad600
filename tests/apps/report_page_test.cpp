// The page of a run, from facts that are given, and event files.
#include "apps/report/run_page.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "apps/config.h"
#include "apps/report/paper_figures.h"
#include "apps/report/sweep_page.h"
#include "apps/report/tensorboard.h"
#include "tests/support/files.h"
#include "tests/support/text.h"

using namespace ntq::apps;
using namespace ntq::test;
using doctest::Approx;

namespace {

const std::string kEvil = "</script><img src=x>&\"'";

/// A run with all that a page can show; names as nobody should choose them.
RunFacts full_facts(size_t layers = 3) {
  RunFacts facts;
  facts.name = kEvil;
  TrainConfig config;
  config.dataset = "synthetic", config.model = "resnet20", config.bits = 4, config.epochs = 2;
  config.init = "/tmp/" + kEvil;
  facts.given = resolve(config);
  facts.result = {{"start", {{"full_precision_top1", 91.5}, {"quantized_top1", 70.0}}}};
  facts.epochs = parse_csv(
      "epoch,train_loss,train_top1,val_loss,val_top1,lr,mean_step\n1,2,30,1.5,50,0.1,0.2\n2,1,60,1,90.5,0.05,0.3\n");
  std::string steps = "step,epoch,loss,lr,mean_step,mean_error,mean_max_weight,oscillating,clipped\n",
              by_layer = "epoch,layer,bits,step,error,max_weight,oscillating,clipped\n";
  for (int i = 1; i <= 9000; ++i)
    steps += ntq::concat(10 * i, ",1,", 2.0 + std::sin(i * 1.7), ",0.1,0.2,0.01,", 1.0 / i, ",0.1,0.2\n");
  NetworkFacts network{
      .file = "last.bin", .epoch = 2, .parameters = 1000, .bytes = 500, .layers = {}, .histograms = {}, .costs = {}};
  for (size_t i = 0; i < layers; ++i) {
    const std::string name = ntq::concat("layer", i, ".<conv>");
    ntq::LayerReport report;
    report.name = name, report.weights = 9, report.weight_bits = report.input_bits = 4, report.weight_step = 0.1;
    network.layers.push_back(report);
    ntq::LayerHistogram histogram{.name = name, .method = "ntq", .bits = 4, .low = -1, .high = 1};
    for (int64_t bin = 0; bin < ntq::kHistogramBins; ++bin) histogram.counts.push_back(bin * 7919 % 1000);
    for (int level = -8; level < 8; ++level) histogram.levels.push_back(level * 0.1);
    network.histograms.push_back(histogram);
    network.costs.push_back({.name = name, .macs = 2000000, .weight_bits = 4, .input_bits = 4});
    for (int epoch = 1; epoch <= 200; ++epoch)
      by_layer += ntq::concat(epoch, ",", name, ",4,", 0.1 + 0.001 * epoch, ",0.01,1,0.1,0.2\n");
  }
  facts.steps = parse_csv(steps), facts.layers = parse_csv(by_layer), facts.network = network;
  facts.analyses["sharpness"] = {{"checkpoint", "last.bin"},
                                 {"images", 100},
                                 {"split", kEvil},
                                 {"rows", {{{"where", "master"}, {"rho", 0.001}, {"sharpness", 4.25}}}}};
  facts.analyses["hessian"] = {{"rows", {{{"parameters", 269722}, {"top_converged", false}}}}};
  facts.start_block = "ntq-train 0.1.0\n  device cpu <0>\n";
  return facts;
}

/// The page of a sweep of such names: a cell is done, one has failed.
std::string evil_sweep_page() {
  SweepFile file;
  file.where = "test", file.title = kEvil, file.notes = {kEvil};
  file.options = {{"dataset", "synthetic"}, {"model", "resnet20"}, {"init", "fp.bin"}};
  file.grid = {{"bits", {4, 2}}, {"seed", {0}}};
  file.rows = {{kEvil, {{"method", "lsq"}}}, {"NTQ", {{"method", "ntq"}}}};
  Standing s{.plan = make_plan(file, 100), .choice = {}, .state = {}};
  s.state.cells.resize(s.plan.cells.size());
  s.state.scores.resize(s.plan.cells.size());
  s.state.cells[0] = {CellState::done, RunFolder{"/nonexistent"}};
  s.state.scores[0] = Score{.top1 = 90, .best_top1 = 91, .bytes = 1e5, .bops = 1e9};
  s.state.cells[1] = {CellState::failed, {}, Failure{5, kEvil}};
  return sweep_page(file, s, ".");
}

void erase_all(std::string& text, const std::string& part) {
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos;) text.erase(at, part.size());
}

}  // namespace

TEST_CASE("a page asks no network for anything, and nothing in it is taken for markup") {
  CHECK(run_page(full_facts()) == run_page(full_facts()));
  for (std::string page : {run_page(full_facts()), evil_sweep_page()}) {
    CHECK_FALSE(contains(page, "<img"));
    CHECK(contains(page, "&lt;/script&gt;&lt;img src=x&gt;&amp;&quot;&#39;"));
    erase_all(page, "http://www.w3.org/2000/svg");
    erase_all(page, "img src=x");  // as text, which the names have
    for (const char* from_elsewhere :
         {"://", "url(", "@import", "@font-face", "src=", "<link", "<iframe", "fetch(", "XMLHttp", "import("}) {
      CAPTURE(from_elsewhere);
      CHECK_FALSE(contains(page, from_elsewhere));
    }
    size_t scripts = 0;
    for (size_t at = 0; (at = page.find("</script", at)) != std::string::npos; ++at) ++scripts;
    CHECK(scripts == 2);
    CHECK(contains(page, "([kMGT])B?"));  // sorting knows 72.8 kB from 1.1 MB
  }
}

TEST_CASE("a page says how a run ended, and shows curves, layers and analyses") {
  const std::string page = run_page(full_facts());
  CHECK(
      contains(page,
               "Top-1 90.50% after 2 epochs (best 90.50% in epoch 2), 1.00 below the 91.50% of the network it started "
               "from; right after quantization it had 70.00%."));
  CHECK(contains(page, "6 M multiply-adds, 96 M bit operations (1.56% of those in float32)"));
  CHECK(contains(page, ">269722<"));
  CHECK(contains(page, ">no<"));
  for (const char* part :
       {"Loss (cross entropy)", "Mean step of the weights", "Step of each layer", "layer2.&lt;conv&gt;, 4 bits", "4.25",
        "Figure 2A", "Figure 2B", "Figure 3", "device cpu &lt;0&gt;", "ntq-analyze last.bin sensitivity --json"}) {
    CAPTURE(part);
    CHECK(contains(page, part));
  }
}

TEST_CASE("what is not there is said, with the command that makes it") {
  RunFacts facts;
  facts.name = "run";
  facts.given = resolve(full_facts().given.value());
  const std::string page = run_page(facts);
  for (const char* part : {"No epoch is finished yet", "there is no steps.csv", "there is no layers.csv",
                           "ntq-analyze last.bin histograms"}) {
    CAPTURE(part);
    CHECK(contains(page, part));
  }
  CHECK_FALSE(contains(page, "Weights and their grid"));
}

TEST_CASE("analyses of any shape make a page") {
  for (const Json& odd : {Json::object(), Json{{"rows", 5}, {"layers", "x"}},
                          Json{{"rows", {1, nullptr}}, {"layers", {1, {{"name", 2}}}}},
                          Json{{"rows", {{{"a", {1, 2}}, {"mean", {1}}}, {{"a", {1, 2}}, {"loss", {{1, "x"}}}}}}}}) {
    RunFacts facts = full_facts();
    for (const char* name : kShownAnalyses) facts.analyses[name] = odd;
    CHECK(contains(run_page(facts), "</html>"));
  }
}

TEST_CASE("the page of a large network over many epochs stays below 500 kB") {
  CHECK(run_page(full_facts(156)).size() < 500'000);
}

TEST_CASE("tables of a run are read back, whatever is in them") {
  const CsvTable table = parse_csv("a,b,layer\n1,nan,x\n2,3\n4,x5,y\n7,8,");
  CHECK(table.rows.size() == 2);
  CHECK(table.numbers("a") == std::vector<double>{1, 4});
  CHECK(std::isnan(table.numbers("b")[0]));
  CHECK(std::isnan(table.numbers("b")[1]));
  CHECK(table.texts("layer") == std::vector<std::string>{"x", "y"});
  CHECK(table.numbers("none").empty());
}

TEST_CASE("Figure 3's average starts without a bias, Figure 2A's ratio is the paper's") {
  const Points m = smoothed({1, 2, 3}, {1, 2, 3}, 0.5);  // 0.5 / 0.5, 1.25 / 0.75, 2.125 / 0.875
  CHECK(m.y[0] == Approx(1));
  CHECK(m.y[1] == Approx(1.25 / 0.75));
  CHECK(m.y[2] == Approx(2.125 / 0.875));
  CHECK(smoothed({10, 20}, {1, 3}, 0.999).y[1] == Approx((std::pow(0.999, 10) + 3) / (std::pow(0.999, 10) + 1)));
  CHECK(noise_ratio(0.001, 0.2, 50) == Approx(7.0161).epsilon(1e-4));
  CHECK(noise_ratio(0.01, 0.2, 50) == Approx(2.2131).epsilon(1e-4));
  CHECK(noise_ratio(0.1, 0.2, 50) == Approx(1.0043).epsilon(1e-4));
  const Points q = figure_2b().series[1].points;  // s = 0.4
  for (size_t i = 0; i < q.x.size(); i += 2) {
    const double middle = (q.x[i] + q.x[i + 1]) / 2;
    CHECK(q.y[i] == Approx(0.4 * std::clamp(std::round(middle / 0.4), -2.0, 1.0)));
  }
}

TEST_CASE("only a page of ours is written over") {
  const TempFolder folder;
  write_report(folder / "r.html", run_page(full_facts()));
  CHECK(is_report(folder / "r.html"));
  write_report(folder / "r.html", run_page(full_facts()));
  write_file(folder / "notes.html", "<p>mine");
  CHECK(contains(one_line_of<UsageError>([&] { write_report(folder / "notes.html", "x"); }), "no report of ntq"));
  CHECK(read_file(folder / "notes.html") == "<p>mine");
}

TEST_CASE("event files have TensorFlow's checksums and protobuf's bytes") {
  CHECK(crc32c("123456789") == 0xe3069283U);
  CHECK(crc32c("") == 0);
  const std::string version = event_file({}, {}, {});
  // 24 bytes: time 0 (1 + 8), file_version (2 + 13); their length, two checksums.
  CHECK(version.size() == 8 + 4 + 24 + 4);
  CHECK(version.substr(0, 8) == std::string("\x18\0\0\0\0\0\0\0", 8));
  CHECK(version.substr(8, 4) == "\xa3\x7f\x4b\x22");
  CHECK(contains(version, "\x1a\rbrain.Event:2"));
  CHECK(scalar_event(0, 300, "a", 1) == std::string("\x09\0\0\0\0\0\0\0\0", 9) + "\x10\xac\x02" +
                                            "\x2a\x0a\x0a\x08\x0a\x01" + "a" + std::string("\x15\0\0\x80\x3f", 5));
  const std::string all = event_file(parse_csv("epoch,val_top1,seconds\n1,50,2\n"),
                                     parse_csv("step,loss\n10,nan\n20,1\n"), parse_csv("epoch,layer,step\n1,fc,0.5\n"));
  for (const char* tag : {"epochs/val_top1", "steps/loss", "layers/step/fc"}) CHECK(contains(all, tag));
}
