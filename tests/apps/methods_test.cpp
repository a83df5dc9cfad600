// Every registered method from its options to its files: it trains, resumes to the same bits, evaluates, is shown and
// is exported. A suite of its own, which ctest runs beside the others.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "apps/checkpoint.h"
#include "apps/init.h"
#include "engine/ops/reduce.h"
#include "layers/weighted_layer.h"
#include "quant/method.h"
#include "quant/tree.h"
#include "tests/apps/tools.h"
#include "tests/apps/words.h"
#include "tests/support/text.h"
#include "tests/support/values.h"
#include "train/loop.h"

using namespace ntq;
using namespace ntq::apps;
using namespace ntq::test;

namespace {

/// Three steps an epoch, two epochs; steps from the first batch.
Session session_of_method(const std::string& method, const Words& more = {}) {
  Words words = {"synthetic",     "resnet20", "--method",    method, "--pretrain-epochs", "0", "--epochs", "2",
                 "--limit-train", "6",        "--limit-val", "4",    "--batch-size",      "2", "--lr",     "0.05",
                 "--workers",     "0",        "--bits",      "4"};
  const QuantScope& scope = quant_method(method).scope;
  if (!scope.weights) words.insert(words.end(), {"--weight-bits", "32"});
  if (!scope.unsigned_inputs) words.insert(words.end(), {"--act-bits", "32"});
  words.insert(words.end(), more.begin(), more.end());
  const TrainConfig config = train_command(words)->config;
  Console quiet(true, false);
  return make_session(config, open_data(config, quiet));
}

/// Trains until so many steps are done in all, and saves.
void train_until(Session& session, int64_t steps, const std::string& file) {
  const LoopOptions options{.loss = session.loss,
                            .save = [&] { save_run(file, session); },
                            .stop = [&] { return session.global_step() >= steps; }};
  CHECK_THROWS_AS(train(session, options), TrainingStopped);
}
void train_to_end(Session& session, const std::string& file) {
  train(session, {.loss = session.loss, .save = [&] { save_run(file, session); }});
}

bool has_codes(Module& model) {
  for (const Quantizer* q : Quantizers(model)) {
    if (q->spec().is_weight && !q->traits().codes) return false;
  }
  return true;
}

NamedTensors model_of_file(const std::string& file) { return load_run_checkpoint(file).model; }

bool same_models(const std::string& a, const std::string& b) {
  const NamedTensors left = model_of_file(a), right = model_of_file(b);
  REQUIRE(left.size() == right.size());
  for (size_t i = 0; i < left.size(); ++i) {
    if (left[i].second.dtype() == DType::f32 && !same_values(left[i].second, right[i].second)) return false;
  }
  return true;
}

}  // namespace

TEST_SUITE_BEGIN("methods");

TEST_CASE(
    "every method: stopped within an epoch and resumed it ends with the same bytes; all commands take its files") {
  for (const std::string& name : quantizer_names()) {
    CAPTURE(name);
    const TempFolder folder;
    const std::string whole = folder / "whole.bin", stopped = folder / "stopped.bin", resumed = folder / "resumed.bin";
    Session session = session_of_method(name);
    train_to_end(session, whole);
    Session first = session_of_method(name);
    train_until(first, 4, stopped);
    Session second = session_of_method(name);
    restore_run(second, stopped);
    CHECK(second.global_step() == 4);
    train_to_end(second, resumed);
    CHECK(read_file(resumed) == read_file(whole));

    const Outcome eval = run("ntq-eval --json --limit-val 4 " + whole);
    REQUIRE_MESSAGE(eval.code == 0, eval.err);
    const Outcome info = run("ntq-info --json " + whole);
    REQUIRE_MESSAGE(info.code == 0, info.err);
    const auto layer = nlohmann::json::parse(info.out)["layers"][1];
    const QuantScope& scope = quant_method(name).scope;
    CHECK(layer["method"] == (scope.weights ? name : ""));
    CHECK(layer["input_method"] == (scope.unsigned_inputs ? name : ""));
    const Outcome values = run("ntq-export --quantized " + whole + " " + folder / "out");
    CHECK_MESSAGE(values.code == 0, values.err);
    const Outcome codes = run("ntq-export --overwrite --int8 " + whole + " " + folder / "out");
    CHECK_MESSAGE(codes.code == (has_codes(*session.model) ? 0 : 2), codes.err);
    if (codes.code == 0) continue;
    CHECK_MESSAGE(contains(codes.err, "have no codes of one byte; export them as floats (--quantized)"), codes.err);
    CHECK(lines_of(codes.err) == 1);
  }
}

TEST_CASE("--calibrate is told to change nothing where no input takes its first values from batches") {
  const TempFolder folder;
  const auto said = [&](const std::string& options) {
    const std::string run = folder.str() + "/" + std::to_string(options.size());
    const Outcome outcome = ntq::test::run(
        "ntq-train" + kTiny + "--bits 4 --pretrain-epochs 1 --epochs 1 --calibrate 2 --output " + run + options);
    CHECK_MESSAGE(outcome.code == 0, outcome.err);
    return outcome.out + outcome.err;
  };
  const std::string warning = "--calibrate 2 changes nothing: no quantizer of inputs takes first values from batches";
  const std::string fixed = said(" --method lq-nets"), taken = said(" --method lsq"), weights = said(" --act-bits 32");
  CHECK(contains(fixed, warning));
  CHECK_FALSE(contains(fixed, "steps from"));
  CHECK(contains(weights, warning));
  CHECK_FALSE(contains(taken, warning));
  CHECK(contains(taken, "(steps from 2 batches)"));
}

TEST_CASE("every method with evenly spaced weights: dampening and freezing resume to the same bytes") {
  const Words steadied = {"--quant",          "dampen=0.1", "--quant",         "freeze=0.01", "--quant",
                          "freeze_from=0.02", "--quant",    "osc_momentum=.5", "--quant",     "osc_start=0.2"};
  int64_t frozen = 0;
  for (const std::string& name : quantizer_names()) {
    if (settings_text(quant_method(name)).find("freeze_from") == std::string::npos) continue;
    CAPTURE(name);
    const TempFolder folder;
    const std::string whole = folder / "whole.bin", stopped = folder / "stopped.bin", resumed = folder / "resumed.bin";
    Session session = session_of_method(name, steadied);
    train_to_end(session, whole);
    Session first = session_of_method(name, steadied);
    train_until(first, 4, stopped);
    Session second = session_of_method(name, steadied);
    restore_run(second, stopped);
    train_to_end(second, resumed);
    CHECK(read_file(resumed) == read_file(whole));
    for (const auto& [key, value] : model_of_file(whole)) {
      if (key.ends_with("osc_frozen")) frozen += static_cast<int64_t>(sum(value).item());
    }
  }
  CHECK(frozen > 0);
}

TEST_CASE("noise_lr: the loop tells the rate, across a resume too") {
  const TempFolder folder;
  const auto trained = [&](const std::string& file, const std::vector<std::string>& words) {
    Session session = session_of_method("ntq", words);
    train_to_end(session, folder / file);
  };
  const std::vector<std::string> share = {"--quant", "noise_lr=share"}, constant = {"--sched", "constant"};
  trained("none", {});
  trained("share", share);
  CHECK_FALSE(same_models(folder / "none", folder / "share"));
  // A constant rate is at its highest all the time.
  trained("none constant", constant);
  trained("share constant", {"--quant", "noise_lr=share", "--sched", "constant"});
  CHECK(same_models(folder / "none constant", folder / "share constant"));
  trained("rate constant", {"--quant", "noise_lr=rate", "--sched", "constant"});
  CHECK_FALSE(same_models(folder / "none constant", folder / "rate constant"));
  // Within the second epoch, where the rate is low.
  Session first = session_of_method("ntq", share);
  train_until(first, 4, folder / "stopped");
  Session second = session_of_method("ntq", share);
  restore_run(second, folder / "stopped");
  train_to_end(second, folder / "resumed");
  CHECK(read_file(folder / "resumed") == read_file(folder / "share"));
}

TEST_CASE("--init: settings with other shapes start anew; steps that are kept say with which settings they came") {
  const TempFolder folder;
  const auto report = [&](const char* method, const Words& settings) {
    const std::string file = folder / method;
    Session first = session_of_method(method);
    train_until(first, 1, file);
    Session second = session_of_method(method, settings);
    return init_from(second, file);
  };
  const std::vector<std::string> none;
  const LoadReport shapes = report("lcq", {"--quant", "intervals=8"});
  CHECK(shapes.notices.front() == "the file has quantizers of other shapes: all steps start anew");
  CHECK(shapes.fresh.size() > 40);
  const LoadReport kept = report("qil", {"--quant", "rescale=true"});
  CHECK(kept.notices.front() ==
        "the file's steps are kept, which came with rescale=false: what only sets first values changes nothing");
  CHECK(kept.fresh == none);
  CHECK(report("qil", {}).notices == none);
}

TEST_SUITE_END();
