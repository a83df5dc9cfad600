// Networks as they are shipped: exported, listed, evaluated; and files that are none.
#include <doctest/doctest.h>

#include "apps/json.h"
#include "base/isa.h"
#include "engine/serialize.h"
#include "infer/ntqi.h"
#include "tests/apps/tools.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;
using ntq::apps::Json;

namespace {

/// Trained for a moment; the path of its last.bin.
std::string trained(const TempFolder& folder, const std::string& options) {
  const Outcome run_of =
      run("ntq-train" + kTiny + "--epochs 1 --quiet --output " + folder.str() + " --json " + options);
  REQUIRE_MESSAGE(run_of.code == 0, run_of.err);
  return Json::parse(run_of.out)["run"].get<std::string>() + "/last.bin";
}

/// Of one training for several cases.
const std::string& trained_w4a4_once() {
  static const TempFolder folder;
  static const std::string checkpoint = trained(folder, "--bits 4");
  return checkpoint;
}

}  // namespace

TEST_CASE("a packed network is small, the same each time, and gives its checkpoint's logits") {
  const TempFolder folder;
  const std::string checkpoint = trained(folder, "--bits 4 --first-last-bits 8");
  const std::string file = folder / "m.ntqi", again = folder / "again.ntqi";
  const Outcome exported = run("ntq-export " + checkpoint + " " + file + " --json");
  REQUIRE_MESSAGE(exported.code == 0, exported.err);
  const Json json = Json::parse(exported.out);
  CHECK(json["format"] == "packed");
  CHECK(json["integer_layers"] == 20);
  CHECK(json["float_layers"].empty());
  CHECK(json["bytes"].get<int64_t>() * 6 < json["float32_bytes"].get<int64_t>());
  CHECK(contains(exported.err, "20 layers in integers"));
  REQUIRE(run("ntq-export " + checkpoint + " " + again + " --format packed").code == 0);
  CHECK(read_file(file) == read_file(again));

  const std::string eval = " --limit-val 200 --json --logits ";
  const Outcome of_file = run("ntq-eval " + file + eval + folder / "a");
  REQUIRE_MESSAGE(of_file.code == 0, of_file.err);
  const Outcome of_checkpoint = run("ntq-eval " + checkpoint + eval + folder / "b" + " --threads 2 --batch-size 5");
  REQUIRE_MESSAGE(of_checkpoint.code == 0, of_checkpoint.err);
  CHECK(read_file(folder / "a") == read_file(folder / "b"));
  for (const std::string& isa : cpu::available_isas(cpu::IsaList::integers)) {
    const std::string logits = folder / isa;
    const Outcome of_isa = run("ntq-eval " + file + eval + logits, "NTQ_CPU_ISA=" + isa + " ");
    REQUIRE_MESSAGE(of_isa.code == 0, of_isa.err);
    CHECK_MESSAGE(read_file(logits) == read_file(folder / "a"), isa);
  }
  for (const char* key : {"top1", "top5", "model", "dataset", "images", "arithmetic"})
    CHECK_MESSAGE(Json::parse(of_file.out)[key] == Json::parse(of_checkpoint.out)[key], key);
  CHECK(Json::parse(of_file.out)["loss"].get<double>() ==
        doctest::Approx(Json::parse(of_checkpoint.out)["loss"].get<double>()).epsilon(1e-6));
  CHECK(Json::parse(of_file.out)["arithmetic"] == "20 layers in integers");

  const Outcome info = run("ntq-info " + file);
  CHECK(contains(info.out, "weights 4, activations 4 bits (ntq)"));
  CHECK(contains(info.out, "layer1.0.conv2"));
  const Json listed = Json::parse(run("ntq-info --json --tensors " + file).out);
  CHECK(listed["nodes"].size() == 23);
  CHECK(listed["nodes"][0]["codes"]["low"] == -128);
  CHECK(listed["tensors"].size() == 80);
}

TEST_CASE("--skip-bits is recorded, listed, and shipped as it was trained") {
  const TempFolder folder;
  const std::string checkpoint = trained(folder, "--bits 4 --skip-bits 8");
  const std::string file = folder / "m.ntqi", eval = " --limit-val 16 --json --logits ";
  REQUIRE(run("ntq-export " + checkpoint + " " + file).code == 0);
  const Json of_file = Json::parse(run("ntq-eval " + file + eval + folder / "a").out);
  const Json of_checkpoint = Json::parse(run("ntq-eval " + checkpoint + eval + folder / "b").out);
  CHECK(read_file(folder / "a") == read_file(folder / "b"));
  CHECK(of_checkpoint["arithmetic"] == "20 layers in integers");
  CHECK(of_file["arithmetic"] == "20 layers in integers");
  const Json info = Json::parse(run("ntq-info --json " + checkpoint).out);
  CHECK(Json::parse(info["metadata"]["ntq.quantization"].get<std::string>())["skip_bits"] == 8);
  REQUIRE(info["skips"].size() == 19);
  CHECK(info["skips"][0]["name"] == "skip_quant");
  CHECK(info["skips"][0]["step"].get<double>() > 0);
  CHECK(info["skips"][1]["signed"] == true);
  CHECK(contains(run("ntq-info " + checkpoint).out, "layer3.2.branch_skip_quant"));
  // A network without them, or the way back, keeps the other steps; other bits start anew.
  const auto goes_on = [&](const std::string& options) {
    return run("ntq-train" + kTiny + "--epochs 1 --no-start-eval --output " + folder.str() + " --bits 4 --init " +
               checkpoint + options);
  };
  CHECK(contains(goes_on("").out, " 0 quantizer entries to be calibrated"));
  CHECK(contains(goes_on(" --skip-bits 6").out, "all steps start anew"));
  const Outcome refused = run("ntq-train" + kTiny + "--bits 4 --skip-bits 9");
  CHECK(refused.code == 2);
  CHECK(contains(refused.err, "--skip-bits: expected 2 to 8, or 32 for full precision, found 9"));
}

TEST_CASE("weights alone, and full precision, are packed with float layers") {
  const TempFolder folder;
  const std::string checkpoint = trained(folder, "--bits 2 --act-bits 32");
  const Outcome exported = run("ntq-export " + checkpoint + " " + folder / "m.ntqi" + " --json");
  REQUIRE_MESSAGE(exported.code == 0, exported.err);
  const Json json = Json::parse(exported.out);
  CHECK(json["float_layers"]["conv1"] == "its input is not quantized");
  CHECK(json["bytes"].get<int64_t>() * 8 < json["float32_bytes"].get<int64_t>());
  const std::string eval = " --limit-val 16 --json";
  const Json of_file = Json::parse(run("ntq-eval " + folder / "m.ntqi" + eval).out);
  const Json of_checkpoint = Json::parse(run("ntq-eval " + checkpoint + eval).out);
  CHECK(of_file["loss"].get<double>() == doctest::Approx(of_checkpoint["loss"].get<double>()).epsilon(1e-4));
  CHECK(contains(of_checkpoint["arithmetic"].get<std::string>(), "float32"));
}

TEST_CASE("a top-1 stands beside the weights that it was measured on") {
  const TempFolder folder;
  const std::string checkpoint = trained(folder, "--bits 4 --model-ema 0.9");
  const std::string average = folder / "average.ntqi", raw = folder / "raw.ntqi";
  const Outcome of_average = run("ntq-export " + checkpoint + " " + average);
  REQUIRE_MESSAGE(of_average.code == 0, of_average.err);
  CHECK(contains(of_average.out, "averaged weights"));
  const Outcome of_raw = run("ntq-export " + checkpoint + " " + raw + " --raw");
  CHECK(contains(of_raw.out, "the weights themselves, not their average"));
  const auto notes = [](const std::string& file) { return Json::parse(run("ntq-info --json " + file).out)["notes"]; };
  CHECK(notes(average).contains("top1"));
  CHECK_FALSE(notes(raw).contains("top1"));
  CHECK(notes(raw)["epoch"] == notes(average)["epoch"]);
  CHECK(contains(run("ntq-info " + average).out, "\ntop1 "));
  CHECK_FALSE(contains(run("ntq-info " + raw).out, "top1"));
  const Outcome evaluated = run("ntq-eval " + checkpoint + " --raw --limit-val 16");
  CHECK(contains(evaluated.out, "the weights themselves, not their average"));
}

TEST_CASE("class names with control characters are one line each, and come back as they were") {
  const TempFolder folder;
  const std::string checkpoint = trained_w4a4_once(), file = folder / "m.ntqi", odd = folder / "odd.ntqi";
  REQUIRE(run("ntq-export " + checkpoint + " " + file).code == 0);
  infer::Graph graph = infer::read_ntqi(file);
  graph.classes[0] = "a\nb\x1b[31m";
  infer::write_ntqi(odd, graph);
  CHECK(infer::read_ntqi(odd).classes == graph.classes);
  CHECK(contains(run("ntq-info " + odd).out, "10: a\\nb\\x1b[31m, "));
  CHECK(Json::parse(run("ntq-info --json " + odd).out)["classes"][0] == graph.classes[0]);
}

TEST_CASE("weights of a checkpoint that does not say its images have those of the data set") {
  const TempFolder folder;
  const std::string checkpoint = trained_w4a4_once(), old = folder / "old.bin", out = folder / "w";
  TensorFile file = load_tensors(checkpoint);
  const auto said = file.metadata.at("ntq.preprocessing");
  file.metadata.erase("ntq.data"), file.metadata.erase("ntq.preprocessing");
  save_tensors(old, file);
  const Outcome exported = run("ntq-export " + old + " " + out + " --quantized");
  CHECK_MESSAGE(exported.code == 0, exported.err);
  CHECK(contains(exported.out, "without preprocessing and class names: they are the data set's"));
  const auto written = load_tensors(out).metadata;
  CHECK(written.at("ntq.preprocessing") == said);
  CHECK(Json::parse(written.at("ntq.data"))["classes"].size() == 10);

  std::string& config = file.metadata.at("ntq.config");
  config.replace(config.find("synthetic"), 9, "cifar10");
  save_tensors(old, file);
  const Outcome without = run("ntq-export " + old + " " + out + " --overwrite --data-dir " + folder / "none");
  CHECK(without.code == 0);
  CHECK(lines_of(without.err) == 1);
  CHECK(contains(without.err, "of an older release, without preprocessing and class names, and so is"));
  CHECK_FALSE(load_tensors(out).metadata.contains("ntq.data"));
}

TEST_CASE("wrong options end in 2, damaged files in 4, other images in 3, each in one line") {
  const TempFolder folder;
  const std::string checkpoint = trained_w4a4_once(), file = folder / "m.ntqi";
  REQUIRE(run("ntq-export " + checkpoint + " " + file).code == 0);
  const auto ends = [&](const std::string& command, int code, const std::string& why) {
    const Outcome outcome = run(command);
    CHECK_MESSAGE(outcome.code == code, command, outcome.err);
    CHECK_MESSAGE(lines_of(outcome.err) == 1, outcome.err);
    CHECK_MESSAGE(contains(outcome.err, why), outcome.err);
  };
  ends("ntq-export " + checkpoint + " " + folder / "x --format tflite", 2, "expected weights, packed or onnx");
  ends("ntq-export " + checkpoint + " " + folder / "x.ntqi --int8", 2, "only of --format weights");
  ends("ntq-eval " + file + " --raw", 2, "not for a .ntqi file");
  ends("ntq-export " + file + " " + folder / "x.onnx --raw", 2, "not for a .ntqi file");
  ends("ntq-export " + file + " " + folder / "x", 2,
       "no weights as they were trained; export those from the checkpoint");
  ends("ntq-export " + file + " " + folder / "x.ntqi", 2, "is a packed file already; copy it");
  infer::Graph other = infer::read_ntqi(file);
  other.image = {28, 28, 3};
  infer::write_ntqi(folder / "other.ntqi", other);
  ends("ntq-eval " + folder / "other.ntqi", 3, "reads images of 28x28x3 and knows 10 classes; synthetic has 32x32x3");
  CHECK_FALSE(std::filesystem::exists(folder / "x"));
  const std::string bytes = read_file(file), bad = folder / "bad.ntqi";
  std::string flipped = bytes;
  flipped[bytes.size() - 100] = static_cast<char>(flipped[bytes.size() - 100] ^ 1);
  for (const std::string& text : {flipped, bytes.substr(0, bytes.size() / 2), std::string("no file")}) {
    write_file(bad, text);
    ends("ntq-eval " + bad, 4, "bad.ntqi");
    ends("ntq-info " + bad, 4, "bad.ntqi");
  }
}
