// Bits of single layers: --bits-of, --bits-file, what is refused, and what stands in files and on the screen.
#include "apps/layer_bits.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "apps/json.h"
#include "apps/session.h"
#include "engine/serialize.h"
#include "layers/weighted_layer.h"
#include "tests/apps/tools.h"
#include "tests/apps/words.h"

using namespace ntq::apps;
using ntq::test::config_of;
using ntq::test::contains;
using ntq::test::kTiny;
using ntq::test::read_file;
using ntq::test::refusal;
using ntq::test::run;
using ntq::test::TempFolder;
using ntq::test::write_file;

namespace {

// "8/4": the layer's weights and inputs in the model that the config makes.
std::string built(const TrainConfig& config, const std::string& wanted) {
  std::string out;
  build_model(config, 10, 3)->visit([&](const std::string& name, ntq::Module& module) {
    const auto* layer = dynamic_cast<const ntq::WeightedLayer*>(&module);
    if (layer == nullptr || name != wanted) return;
    const auto bits = [](const auto& q) { return q ? q->spec().bits : 32; };
    out = ntq::concat(bits(layer->weight_quantizer()), "/", bits(layer->input_quantizer()));
  });
  return out;
}

}  // namespace

TEST_CASE("--bits-of: both sides, or each its own") {
  const TrainConfig c =
      config_of({"--bits", "4", "--first-last-bits", "8", "--bits-of", "conv1=3,layer1.0.conv1=w8", "--bits-of",
                 "layer1.0.conv2=a8,layer1.1.conv1=w8a2,layer1.1.conv2=fp,layer1.2.conv1=w32a8"});
  CHECK(built(c, "conv1") == "3/3");
  CHECK(built(c, "fc") == "8/8");
  CHECK(built(c, "layer1.0.conv1") == "8/4");
  CHECK(built(c, "layer1.0.conv2") == "4/8");
  CHECK(built(c, "layer1.1.conv1") == "8/2");
  CHECK(built(c, "layer1.1.conv2") == "32/32");
  CHECK(built(c, "layer1.2.conv1") == "32/8");
  CHECK(built(c, "layer1.2.conv2") == "4/4");
}

TEST_CASE("--bits-of: bits that the layer's method does not give are refused, not dropped") {
  const auto why = [](const ntq::test::Words& words) {
    return ntq::test::error_of<std::invalid_argument>([&] { built(config_of(words), "fc"); });
  };
  CHECK(contains(why({"--bits", "4", "--method", "nice", "--bits-of", "conv1=a8"}),
                 "bits_of: conv1: nice quantizes no inputs with a sign"));
  CHECK(built(config_of({"--bits", "4", "--method", "nice", "--bits-of", "conv1=w8"}), "conv1") == "8/32");
  CHECK(contains(why({"--bits", "4", "--act-bits", "32", "--method", "diffq", "--bits-of", "fc=w2"}),
                 "bits_of: fc: diffq leaves weights as few as these in full precision"));
}

TEST_CASE("--bits-of: a plain number means the sides that the model quantizes, and both where it quantizes none") {
  CHECK(built(config_of({"--bits", "4", "--act-bits", "32", "--bits-of", "fc=8"}), "fc") == "8/32");
  CHECK(built(config_of({"--bits", "4", "--weight-bits", "32", "--bits-of", "fc=8"}), "fc") == "32/8");
  CHECK(built(config_of({"--bits", "4", "--act-bits", "32", "--bits-of", "fc=w8a4"}), "fc") == "8/4");
  const TrainConfig only = config_of({"--bits-of", "fc=8", "--quant", "noise=0.3"});
  CHECK(only.quantized());
  CHECK(only.two_stages());
  CHECK(only.lr == 0.01);
  CHECK(built(only, "fc") == "8/8");
  CHECK(built(only, "conv1") == "32/32");
  CHECK(only.quant.at("noise") == ntq::SettingValue(0.3));
  CHECK_FALSE(config_of({"--bits-of", "fc=fp"}).quantized());
  CHECK(config_of({"--bits-of", "fc=fp"}).bits_of.empty());
}

TEST_CASE("equal exceptions have equal JSON, which is read back as the same") {
  const TrainConfig c = config_of({"--bits", "4", "--bits-of", "fc=8,conv1=w32a32,layer1.0.conv1=a2"});
  const BitsByLayer expected{{"conv1", "fp"}, {"fc", "w8a8"}, {"layer1.0.conv1", "a2"}};
  CHECK(c.bits_of == expected);
  CHECK(layers_text(c.bits_of) == "conv1=fp, fc=w8a8, layer1.0.conv1=a2");
  TrainConfig again;
  apply_json(again, config_to_json(c, JsonPart::recipe), "file");
  CHECK(resolve(again).bits_of == expected);
  CHECK(run_name(c) == "cifar10-resnet20-w4a4-mixed-ntq");
  CHECK(stages_of(c).front().bits_of.empty());
  CHECK_FALSE(stages_of(c).front().quantized());
}

TEST_CASE("wrong bits and layers are usage errors in one line") {
  for (const char* bits : {"1", "9", "0", "-4", "4.0", "w", "a", "w4a", "w9", "a4w4", "w4b4", "fp8", "8 8", "33"}) {
    CAPTURE(bits);
    CHECK(contains(refusal({"--bits-of", ntq::concat("fc=", bits)}), "--bits-of fc: expected bits 2 to 8, 32 or"));
  }
  for (const char* text : {"fc", "=8", "fc=", "fc=8,", ",", ""}) {
    CAPTURE(text);
    CHECK(contains(refusal({"--bits-of=" + std::string(text)}), "LAYER=BITS, found"));
  }
  CHECK(contains(refusal({"--bits-of", "fc=8,conv1=4,fc=8"}), "layer \"fc\" is named twice"));
  CHECK(contains(refusal({"--bits-of", "fc=8", "--bits-of", "fc=4"}), "layer \"fc\" is named twice"));
  const auto unknown = run("ntq-train" + kTiny + "--bits 4 --bits-of layer1.0.conv3=8 --output /nonexistent");
  CHECK(unknown.code == 2);
  CHECK(contains(unknown.err,
                 "--bits-of, --bits-file: resnet20 has no layer \"layer1.0.conv3\"; did you mean layer1.0.conv1?"));
  CHECK(ntq::test::lines_of(unknown.err) == 1);
  const auto listed = run("ntq-train" + kTiny + "--bits 4 --bits-of something=8 --output /nonexistent");
  CHECK(listed.code == 2);
  CHECK(contains(listed.err, "has no layer \"something\"; its layers: conv1, layer1.0.conv1, "));
}

TEST_CASE("--bits-file: JSON, or lines") {
  const TempFolder folder;
  const std::string file = folder / "bits";
  const BitsByLayer expected{{"conv1", "w8a4"}, {"fc", "w8a8"}, {"layer1.0.conv1", "fp"}};
  for (const char* text : {R"({"conv1": "w8a4", "fc": 8, "layer1.0.conv1": "fp"})",
                           "# mixed\nconv1=w8a4\r\n\n  fc = 8  # the last\nlayer1.0.conv1=32"}) {
    write_file(file, text);
    CHECK(config_of({"--bits", "4", "--bits-file", file}).bits_of == expected);
    CHECK(config_of({"--bits", "4", "--bits-file", file, "--bits-of", "fc=8"}).bits_of == expected);
    BitsByLayer more = expected;
    more["layer1.1.conv1"] = "w2a2";
    CHECK(config_of({"--bits", "4", "--bits-file", file, "--bits-of", "layer1.1.conv1=2"}).bits_of == more);
    CHECK(contains(refusal({"--bits-file", file, "--bits-of", "fc=4"}), "--bits-of fc=4 and 8 in "));
  }
}

TEST_CASE("a config file names a bits file or has the layers; the command line wins, layer by layer") {
  const TempFolder folder;
  const std::string file = folder / "bits", config = folder / "c.json";
  write_file(file, "fc=8\n");
  write_file(config, Json{{"bits", 4}, {"bits_file", file}, {"bits_of", {{"conv1", 8}}}}.dump());
  const auto with = [&](ntq::test::Words words) {
    words.insert(words.begin(), {"--config", config});
    return layers_text(config_of(words).bits_of);
  };
  CHECK(with({}) == "conv1=w8a8, fc=w8a8");
  CHECK(with({"--bits-of", "fc=2"}) == "conv1=w8a8, fc=w2a2");
  const std::string other = folder / "other";
  write_file(other, "layer1.0.conv1=3\n");
  CHECK(with({"--bits-file", other}) == "layer1.0.conv1=w3a3");
  write_file(config, Json{{"bits", 4}, {"bits_of", {{"fc", 8.5}}}}.dump());
  CHECK(contains(refusal({"--config", config}), "\"fc\": expected bits or a text as w8a4, found 8.5"));
  write_file(config, Json{{"bits", 4}, {"bits_of", "fc"}}.dump());
  CHECK(contains(refusal({"--config", config, "--bits-of", "fc=8"}), "expected an object of layers"));
  write_file(config, Json{{"bits_file", 4}}.dump());
  CHECK(contains(refusal({"--config", config}), "'bits_file': expected a string, found 4"));
}

TEST_CASE("damaged bits files are one line each") {
  const TempFolder folder;
  const std::string file = folder / "bits";
  const auto refused = [&](const std::string& text) {
    write_file(file, text);
    const std::string message = refusal({"--bits", "4", "--bits-file", file});
    CHECK(contains(message, "--bits-file " + file));
    return message;
  };
  CHECK(contains(refused(""), "expected layers and their bits, found none"));
  CHECK(contains(refused("{}"), "found none"));
  CHECK(contains(refused("# nothing\n\n"), "found none"));
  CHECK(contains(refused(R"({"fc": 8)"), "not valid JSON"));
  CHECK(contains(refused(R"({"fc": 8, "fc": 4})"), "stands twice"));
  CHECK(contains(refused(R"({"fc": null})"), "layer \"fc\": expected bits 2 to 8"));
  CHECK(contains(refused(R"({"fc": {"w": 8}})"), "layer \"fc\": expected bits 2 to 8"));
  CHECK(contains(refused(R"({"fc": 9})"), "found \"9\""));
  CHECK(contains(refused("conv1=8\nfc=9\n"), "layer \"fc\": expected bits 2 to 8"));
  CHECK(contains(refused("conv1=8\nfc\n"), "line 2: expected LAYER=BITS, found \"fc\""));
  CHECK(contains(refused("conv1=8\nconv1=8\n"), "line 2: layer \"conv1\" is named twice"));
  CHECK(contains(refused(std::string("\x7f\0\xff=", 4)), "line 1: expected LAYER=BITS"));
  CHECK(contains(refusal({"--bits-file", folder / "none"}), "none: cannot read the file"));
  CHECK(contains(refusal({"--bits-file", folder.str()}), "it is a folder"));
}

TEST_CASE("a mixed run: its files say so, it resumes, and --init keeps its steps") {
  const TempFolder folder;
  const std::string mixed = "--bits 4 --bits-of fc=8,conv1=w8a4 ", out = "--output " + folder.str();
  const auto first = run("ntq-train" + kTiny + mixed + "--epochs 1 --pretrain-epochs 0 " + out);
  REQUIRE_MESSAGE(first.code == 0, first.err);
  CHECK(contains(first.out, "bits of    conv1=w8a4, fc=w8a8"));
  CHECK(contains(first.out, "weights 4, activations 4 bits (ntq), own bits in 2 layers"));
  const std::string path = folder / "synthetic-resnet20-w4a4-mixed-ntq";
  CHECK(Json::parse(read_file(path + "/config.json"))["bits_of"] == Json{{"conv1", "w8a4"}, {"fc", "w8a8"}});
  const auto file = ntq::load_header(path + "/last.bin");
  CHECK(Json::parse(file.metadata.at("ntq.quantization"))["bits_of"]["fc"] == "w8a8");
  const auto info = run("ntq-info " + path + "/last.bin");
  CHECK(contains(info.out, "bits of    conv1=w8a4, fc=w8a8"));
  const Json layers = Json::parse(run("ntq-info --json " + path + "/last.bin").out)["layers"];
  CHECK(layers.front()["weight_bits"] == 8);
  CHECK(layers.front()["input_bits"] == 4);
  CHECK(layers.back()["input_bits"] == 8);

  const std::string again =
      "ntq-train" + kTiny + "--no-start-eval --epochs 1 --init " + path + "/last.bin " + out + " ";
  const auto same = run(again + mixed);
  CHECK_MESSAGE(same.code == 0, same.err);
  CHECK(contains(same.out, " 0 quantizer entries to be calibrated"));
  CHECK(contains(run(again + "--bits 4 ").out, "the file has other bits or another method: all steps start anew"));

  std::filesystem::remove(path + "/result.json");
  CHECK(run("ntq-train --resume " + path + " --bits-of fc=w8a8").code == 0);
  std::filesystem::remove(path + "/result.json");
  const auto other = run("ntq-train --resume " + path + " --bits-of fc=4");
  CHECK(other.code == 2);
  CHECK(contains(other.err, "a resumed run keeps its recipe"));
}
