// --bits-before: one width after the other, each from the last one's weights.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/apps/tools.h"
#include "tests/apps/words.h"
#include "tests/support/wait.h"

using namespace ntq::apps;
using namespace ntq::test;
namespace fs = std::filesystem;

namespace {

/// "cifar10-resnet20-w8a8-ntq cifar10-..."
std::string names_of_stages(const Words& words) {
  std::string out;
  for (const TrainConfig& stage : stages_of(config_of(words))) out += (out.empty() ? "" : " ") + run_name(stage);
  return out;
}

std::string refusal_of(const std::string& widths) { return refusal({"--bits", "4", "--bits-before", widths}); }

const std::string kShort =
    kTiny + "--method qil --epochs 1 --pretrain-epochs 0 --limit-train 48 --no-start-eval --output ";
const std::string kChain = " --bits 4 --bits-before 8,5", kPrefix = "/synthetic-resnet20-";

/// The chain that nothing has disturbed, made once, and what was printed.
struct Chain {
  TempFolder folder;
  Outcome outcome = run("ntq-train" + kShort + folder.str() + kChain);
};
const Chain& whole_chain() {
  static const Chain chain;
  REQUIRE_MESSAGE(chain.outcome.code == 0, chain.outcome.err);
  return chain;
}

}  // namespace

TEST_CASE("--bits-before: full precision, its widths, the run; each as a run of its own would be") {
  const std::string fp = "cifar10-resnet20-fp ", w8 = "cifar10-resnet20-w8a8-ntq ", w4 = "cifar10-resnet20-w4a4-ntq";
  CHECK(names_of_stages({"--bits", "4", "--bits-before", "8"}) == fp + w8 + w4);
  CHECK(names_of_stages({"--bits", "4", "--bits-before", "8", "--pretrain-epochs", "0"}) == w8 + w4);
  CHECK(names_of_stages({"--bits", "4", "--bits-before", "8", "--init", "x"}) == w8 + w4);
  CHECK(names_of_stages({"--bits-before", "8"}) == "cifar10-resnet20-fp");  // nothing is quantized
  CHECK(
      names_of_stages({"--bits", "4", "--act-bits", "32", "--bits-before", "8, w5a8,a3"}) ==
      fp + "cifar10-resnet20-w8a32-ntq cifar10-resnet20-w5a8-ntq cifar10-resnet20-w4a3-ntq cifar10-resnet20-w4a32-ntq");

  const TrainConfig c = config_of({"--bits", "4", "--quant", "noise=0.1", "--bits-before", "8,5"});
  CHECK(c.bits_before == "w8a8,w5a5");
  CHECK(config_to_json(resolve(c), JsonPart::all) == config_to_json(c, JsonPart::all));
  const auto stages = stages_of(c);
  REQUIRE(stages.size() == 4);
  CHECK(config_to_json(stages[0], JsonPart::all) == config_to_json(config_of({}), JsonPart::all));
  CHECK(config_to_json(stages[1], JsonPart::all) ==
        config_to_json(config_of({"--bits", "8", "--quant", "noise=0.1"}), JsonPart::all));
  CHECK(config_to_json(stages[2], JsonPart::all) ==
        config_to_json(config_of({"--bits", "5", "--quant", "noise=0.1", "--bits-before", "8"}), JsonPart::all));
}

TEST_CASE("--bits-before: wrong widths are usage errors in one line") {
  for (const char* text : {"9", "8,,5", "8,", "w", "8;5", "1"}) {
    CHECK_MESSAGE(contains(refusal_of(text), "--bits-before: expected bits 2 to 8, 32 or fp, or those of"), text);
  }
  for (const char* text : {"8,fp", "32", "w32a32"}) {
    CHECK_MESSAGE(contains(refusal_of(text), "full precision comes first by itself (--pretrain-epochs)"), text);
  }
}

TEST_CASE("--bits-before: each width is a run from the last one's weights") {
  const TempFolder none;
  const auto stages =
      nlohmann::json::parse(run("ntq-train --dry-run --json" + kShort + none.str() + kChain).out)["stages"];
  REQUIRE(stages.size() == 3);
  CHECK(stages[1]["stage"] == "weights 5, activations 5 bits (qil), after w8a8");
  CHECK_FALSE(contains(whole_chain().outcome.err, "count"));
  const std::string whole = whole_chain().folder.str(),
                    single = "ntq-train --dry-run" + kShort + none.str() + " --bits 4";
  const char* alone =
      "warning: this run does not count as qil: its widths come one after the other (--bits-before 8,5)";
  CHECK(contains(run(single).err, alone));
  CHECK(contains(run(single + " --bits-before 4").err, alone));
  CHECK(contains(run(single + " --init " + whole + kPrefix + "w4a4-qil/last.bin").err, alone));
  CHECK_FALSE(contains(run(single + " --init " + whole + kPrefix + "w5a5-qil/last.bin").err, "count"));
  CHECK(contains(whole_chain().outcome.out, "weights 4, activations 4 bits (qil), after w8a8,w5a5"));
  CHECK(contains(read_file(whole + kPrefix + "w5a5-qil/log.txt"),
                 "Starting from " + whole + kPrefix + "w8a8-qil/last.bin"));
  CHECK(contains(read_file(whole + kPrefix + "w4a4-qil/log.txt"),
                 "Starting from " + whole + kPrefix + "w5a5-qil/last.bin"));
  CHECK(contains(read_file(whole + kPrefix + "w4a4-qil/log.txt"), " 0 quantizer entries to be calibrated"));
  CHECK(contains(read_file(whole + kPrefix + "w4a4-qil/log.txt"),
                 "quantizers of qil go on with what they have learned at the file's bits"));
  // One width more: what is there is not trained again.
  const std::string more = whole + " --bits 3 --bits-before 8,5,4";
  const auto left = nlohmann::json::parse(run("ntq-train --dry-run --json" + kShort + more).out)["stages"];
  REQUIRE(left.size() == 2);
  CHECK(left[0]["reused"] == whole + kPrefix + "w4a4-qil");
}

TEST_SUITE_BEGIN("optimised build only");

TEST_CASE("--bits-before: killed and resumed, the same bytes") {
  const TempFolder killed;
  const pid_t child = start("ntq-train" + kShort + killed.str() + kChain + " --save-every 1");
  REQUIRE(wait_until([&] { return fs::exists(killed.str() + kPrefix + "w5a5-qil/last.bin"); }));
  kill(child, SIGKILL);
  CHECK(finish(child) == 128 + SIGKILL);
  const Outcome resumed = run("ntq-train --quiet --output " + killed.str() + " --resume");
  REQUIRE_MESSAGE(resumed.code == 0, resumed.err);
  for (const char* stage : {"w8a8-qil", "w5a5-qil", "w4a4-qil"}) {
    const std::string file = kPrefix + stage + "/last.bin";
    CHECK_MESSAGE(read_file(killed.str() + file) == read_file(whole_chain().folder.str() + file), stage);
  }
}

TEST_SUITE_END();
