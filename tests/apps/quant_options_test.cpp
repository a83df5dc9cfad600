// --quant and its short forms: what is taken, what is refused, and what stands in config.json.
#include <doctest/doctest.h>

#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "apps/advice.h"
#include "apps/config_quant.h"
#include "apps/session.h"
#include "apps/stages.h"
#include "layers/weighted_layer.h"
#include "tests/apps/tools.h"
#include "tests/apps/words.h"

using namespace ntq::apps;
using ntq::Settings;
using ntq::Side;
using ntq::test::command_of;
using ntq::test::config_of;
using ntq::test::contains;
using ntq::test::run;
using ntq::test::TempFolder;
using ntq::test::Words;
using ntq::test::write_file;

namespace {

nlohmann::ordered_json quant_json(const TrainConfig& config) {
  return config_to_json(config, JsonPart::recipe)["quant"];
}

/// What 4 bits with these options are refused with.
std::string refusal_at_4_bits(Words options) {
  options.insert(options.begin(), {"--bits", "4"});
  return ntq::test::refusal(options);
}

}  // namespace

TEST_CASE("config.json has every setting of the method, whichever way it was given") {
  using AnyOrder = nlohmann::json;
  const AnyOrder weights = {{"border", "outside"},   {"dampen", 0},          {"freeze", 0},
                            {"freeze_from", 0.1},    {"noise", 0.2},         {"noise_k", 50},
                            {"noise_lr", "none"},    {"osc_momentum", 0.01}, {"osc_start", 0.25},
                            {"step_change", "held"}, {"step_decay", false},  {"step_init", "lsq"},
                            {"step_sign", "floor"},  {"weight_n", "step"}};
  AnyOrder standard = weights;
  standard["input_n"] = "features", standard["input_noise"] = 0, standard["input_noise_k"] = 50;
  CHECK(AnyOrder(quant_json(config_of({"--bits", "4"}))) == standard);
  CHECK(AnyOrder(quant_json(config_of({"--bits", "4", "--quant", "noise=0.2", "--step-init", "lsq"}))) == standard);
  AnyOrder changed = standard;
  changed["noise"] = 0.3, changed["step_init"] = "mse";
  for (const auto& words : {std::vector<std::string>{"--noise", "0.3", "--step-init", "mse"},
                            {"--quant", "noise=.3", "--quant=step_init=mse"},
                            {"--noise", "0.3", "--quant", "noise=0.30", "--quant", "step_init=mse"}}) {
    std::vector<std::string> all = words;
    all.insert(all.begin(), {"--bits", "4"});
    CHECK(AnyOrder(quant_json(config_of(all))) == changed);
  }
  CHECK(AnyOrder(quant_json(config_of({"--bits", "4", "--act-bits", "32"}))) == weights);
  CHECK(quant_json(config_of({})).empty());
}

TEST_CASE("activations take what weights take, unless they are told otherwise") {
  const auto init = [](const TrainConfig& c, Side side) { return settings_of(c, side).at("step_init").word(); };
  TrainConfig c = config_of({"--bits", "4", "--step-init", "mse"});
  CHECK(init(c, Side::weights) == "mse");
  CHECK(init(c, Side::inputs) == "mse");
  c = config_of({"--bits", "4", "--quant", "step_init=mse", "--quant", "act.step_init=lsq"});
  CHECK(init(c, Side::weights) == "mse");
  CHECK(init(c, Side::inputs) == "lsq");
  CHECK(c.quant.contains("act.step_init"));
  // Another method: its own defaults; the short form still means both.
  c = config_of({"--bits", "4", "--quant", "act.method=lsq", "--quant", "step_init=mse"});
  CHECK(method_of(c, Side::inputs) == "lsq");
  CHECK(init(c, Side::inputs) == "lsq");
  CHECK(init(config_of({"--bits", "4", "--quant", "act.method=lsq", "--step-init", "mse"}), Side::inputs) == "mse");
  // And the model has them.
  build_model(c, 10, 3)->visit([&](const std::string& name, ntq::Module& module) {
    const auto* layer = dynamic_cast<const ntq::WeightedLayer*>(&module);
    if (layer == nullptr || name != "fc") return;
    CHECK(layer->weight_quantizer()->spec().method == "ntq");
    CHECK(layer->weight_quantizer()->spec().setting("step_init").word() == "mse");
    CHECK(layer->input_quantizer()->spec().method == "lsq");
    CHECK(layer->input_quantizer()->spec().setting("step_init").word() == "lsq");
  });
}

TEST_CASE("wrong settings are usage errors that name those of the method") {
  CHECK(
      contains(refusal_at_4_bits({"--quant", "nosie=0.1"}),
               "--quant nosie: method ntq has no such setting, did you mean noise?; settings of ntq: noise: a number"));
  CHECK(contains(refusal_at_4_bits({"--quant", "noise=1"}),
                 "noise: expected a number in [0, 1), found \"1\"; settings of ntq: "));
  CHECK(contains(refusal_at_4_bits({"--quant", "noise=much"}), "found \"much\"; settings of ntq: noise"));
  CHECK(contains(refusal_at_4_bits({"--quant", "noise=nan"}), "noise: expected"));
  CHECK(contains(refusal_at_4_bits({"--quant", "step_init=best"}), "step_init: expected lsq or mse, found \"best\""));
  CHECK(contains(refusal_at_4_bits({"--quant", "act.noise=0.1"}),
                 "--quant act.noise: it is of weights alone; settings of ntq"));
  CHECK(contains(refusal_at_4_bits({"--quant", "act.method=foo"}), "act.method: expected one of "));
  CHECK(contains(refusal_at_4_bits({"--method", "lsq", "--quant", "noise=0.1"}),
                 "--quant noise: method lsq has no such setting; settings of lsq"));
  CHECK(contains(refusal_at_4_bits({"--quant", "act.step_init=best"}),
                 "--quant act.step_init: expected lsq or mse, found"));
  CHECK(contains(refusal_at_4_bits({"--quant", "act.method=lsq", "--quant", "act.noise=0"}),
                 "--quant act.noise: method lsq has"));
  CHECK(contains(refusal_at_4_bits({"--quant", "x\x1b=1"}), "--quant x\\x1b: method ntq has no such setting"));
  CHECK(contains(refusal_at_4_bits({"--step-init", "\x1b"}),
                 "--step-init: expected lsq or mse, found \"\\x1b\"; settings"));
  for (const char* text : {"noise", "=1", "noise="})
    CHECK(contains(refusal_at_4_bits({"--quant", text}), "expected KEY=VALUE"));
  CHECK(contains(refusal_at_4_bits({"--noise", "0.3", "--quant", "noise=0.2"}),
                 "--noise 0.3 and --quant noise=0.2: expected one"));
  CHECK(contains(refusal_at_4_bits({"--step-init", "best"}),
                 "--step-init: expected lsq or mse, found \"best\"; settings of"));
}

TEST_CASE("methods of weights alone want to know what activations get") {
  const std::string advice =
      ": quantizes weights alone; give activations another method (--act-method NAME), or --act-bits 32";
  CHECK(refusal_at_4_bits({"--method", "diffq"}) == "--method diffq" + advice);
  CHECK(refusal_at_4_bits({"--act-method", "diffq"}) == "--act-method diffq" + advice);
  CHECK(refusal_at_4_bits({"--quant", "act.method=diffq"}) == "--act-method diffq" + advice);
  CHECK(refusal_at_4_bits({"--method", "diffq", "--act-bits", "32", "--bits-of", "fc=a4"}) ==
        "--method diffq" + advice);
  CHECK(refusal_at_4_bits({"--method", "diffq", "--act-bits", "32"}) == "");
  CHECK(refusal_at_4_bits({"--method", "diffq", "--act-method", "lsq"}) == "");
}

TEST_CASE("the last word wins: command line over file, the short form over the settings of a file and back") {
  const TempFolder folder;
  const std::string file = folder / "c.json";
  const auto with = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"--config", file});
    return config_of(words);
  };
  write_file(file, config_to_json(config_of({"--bits", "4", "--noise", "0.3"}), JsonPart::all).dump());
  CHECK(with({}).quant.at("noise") == ntq::SettingValue(0.3));
  CHECK(with({"--noise", "0.1"}).quant.at("noise") == ntq::SettingValue(0.1));
  CHECK(with({"--quant", "noise=0.1"}).quant.at("noise") == ntq::SettingValue(0.1));
  CHECK(with({"--quant", "noise=0.1"}).quant.at("noise_k") == ntq::SettingValue(50));
  CHECK_FALSE(with({"--method", "lsq"}).quant.contains("noise"));  // which lsq does not have
  // --step-init is of weights and activations.
  write_file(file, config_to_json(config_of({"--bits", "4", "--quant", "act.step_init=mse"}), JsonPart::all).dump());
  CHECK(with({}).quant.at("act.step_init") == ntq::SettingValue("mse"));
  CHECK_FALSE(with({"--step-init", "lsq"}).quant.contains("act.step_init"));
  CHECK(with({"--step-init", "lsq", "--quant", "act.step_init=mse"}).quant.contains("act.step_init"));
  // A file of an older release.
  write_file(file, R"({"bits": 4, "method": "ntq", "noise": 0.3, "noise_k": 40, "step_init": "mse"})");
  const Settings old = with({}).quant;
  CHECK(old.at("noise") == ntq::SettingValue(0.3));
  CHECK(old.at("noise_k") == ntq::SettingValue(40));
  CHECK(old.at("step_init") == ntq::SettingValue("mse"));
  CHECK(with({"--quant", "noise=0.1"}).quant.at("noise") == ntq::SettingValue(0.1));
  CHECK(with({"--method", "lsq"}).quant.at("step_init") == ntq::SettingValue("mse"));
}

TEST_CASE("--act-method is short for act.method: on the command line, over a file, and back") {
  const TrainConfig c = config_of({"--bits", "4", "--act-method", "lsq"});
  CHECK(method_of(c, Side::inputs) == "lsq");
  CHECK(method_of(c, Side::weights) == "ntq");
  CHECK_FALSE(c.act_method.has_value());  // as equal recipes have equal JSON
  CHECK(quant_json(c) == quant_json(config_of({"--bits", "4", "--quant", "act.method=lsq"})));
  CHECK(quant_json(c) == quant_json(config_of({"--bits", "4", "--act-method", "lsq", "--quant", "act.method=lsq"})));
  CHECK(quant_json(config_of({"--bits", "4", "--act-method", "ntq"})) == quant_json(config_of({"--bits", "4"})));

  const TempFolder folder;
  const std::string file = folder / "c.json";
  write_file(file,
             config_to_json(config_of({"--bits", "4", "--quant", "act.method=lsq", "--quant", "act.input_n=numel"}),
                            JsonPart::all)
                 .dump());
  const TrainConfig over = config_of({"--config", file, "--act-method", "pact"});
  CHECK(method_of(over, Side::inputs) == "pact");
  CHECK_FALSE(over.quant.contains("act.input_n"));  // which pact does not have
  CHECK(method_of(config_of({"--config", file, "--act-method", "ntq"}), Side::inputs) == "ntq");
  write_file(file, R"({"bits": 4, "act_method": "lsq"})");
  CHECK(method_of(config_of({"--config", file}), Side::inputs) == "lsq");
  CHECK(method_of(config_of({"--config", file, "--quant", "act.method=pact"}), Side::inputs) == "pact");

  CHECK(contains(refusal_at_4_bits({"--act-method", "lsq", "--quant", "act.method=ntq"}),
                 "--act-method lsq and --quant act.method=ntq: expected one value, found two"));
  CHECK(contains(refusal_at_4_bits({"--act-method", "foo"}), "--act-method: expected one of "));
  CHECK(contains(refusal_at_4_bits({"--act-method", ""}), "--act-method: expected one of "));
  const TrainCommand idle = command_of({"--weight-bits", "4", "--act-bits", "32", "--act-method", "lsq"});
  const auto lines = options_without_effect(idle.config, idle.given_json);
  REQUIRE(lines.size() == 1);
  CHECK(contains(lines[0], "--act-method has no effect on activations in full precision"));
}

TEST_CASE("--help-method prints what the method declares; settings without effect are told") {
  const auto help = run("ntq-train --help-method ntq");
  CHECK(help.code == 0);
  for (const char* text :
       {"--quant noise=X", "a number in [0, 1) (weights) [0.2]", "lsq or mse [lsq]", "arXiv 2212.05603"})
    CHECK_MESSAGE(contains(help.out, text), text);
  const auto wrong = run("ntq-train --help-method ntk");
  CHECK(wrong.code == 2);
  CHECK(contains(wrong.err, "--help-method: expected one of "));
  CHECK(run("ntq-train cifar10 resnet20 --bits 4 --quant nosie=1 --print-config").code == 2);

  const auto idle = [](const std::vector<std::string>& words) {
    const TrainCommand command = command_of(words);
    const auto lines = options_without_effect(command.config, command.given_json);
    return lines.size() == 1 ? lines[0] : std::to_string(lines.size());
  };
  CHECK(contains(idle({"--quant", "noise=0.1"}), "--quant has no effect in full precision"));
  CHECK(contains(idle({"--weight-bits", "32", "--act-bits", "4", "--quant", "noise=0.1"}),
                 "--quant noise has no effect"));
  CHECK(contains(idle({"--weight-bits", "32", "--act-bits", "4", "--per-channel"}), "--per-channel has no effect"));
  CHECK(idle({"--bits", "4", "--quant", "noise=0", "--quant", "noise_k=9"}) ==
        "--quant noise_k has no effect with noise 0");
  CHECK(idle({"--bits", "4", "--quant", "noise=0.1", "--quant", "act.step_init=mse", "--per-channel"}) == "0");
}

TEST_CASE("a setting that the bits, the side or another setting leave without effect is told, and why") {
  const auto idle = [](const std::string& words) {
    std::istringstream in(words);
    const TrainCommand command = command_of(Words(std::istream_iterator<std::string>(in), {}));
    const auto lines = options_without_effect(command.config, command.given_json);
    return lines.size() == 1 ? lines[0] : std::to_string(lines.size());
  };
  const auto why = [&](const std::string& words) {
    const std::string line = idle(words), between = " has no effect ";
    return line == "0" ? line : line.substr(line.find(between) + between.size());
  };
  CHECK(idle("--bits 8 --quant freeze=0.01") == "--quant freeze has no effect on weights of more than 4 bits");
  CHECK(idle("--bits 4 --first-last-bits 8 --quant freeze=0.01") == "0");
  CHECK(idle("--bits 8 --bits-of layer1.0.conv1=w4 --quant freeze=0.01") == "0");
  CHECK(why("--bits 4 --quant freeze_from=0.2") == "with freeze 0");
  CHECK(why("--bits 4 --quant osc_momentum=0.2 --quant dampen=0.1") == "with freeze 0");
  CHECK(why("--bits 4 --quant osc_start=0.2") == "without dampening or freezing");
  CHECK(why("--bits 4 --quant osc_start=0.2 --quant dampen=0.1") == "0");
  CHECK(why("--weight-bits 32 --act-bits 4 --method lsq --quant dampen=0.1") == "on what is in full precision");
  CHECK(why("--bits 4 --quant noise=0 --noise-k 9") == "with noise 0");
  CHECK(why("--bits 4 --quant input_noise_k=9") == "with input_noise 0");
  CHECK(why("--bits 4 --quant noise_lr=share") == "0");
  CHECK(why("--bits 4 --quant noise=0 --quant noise_lr=share") == "with noise 0");
  CHECK(why("--bits 4 --quant noise=0 --quant noise_lr=share --quant input_noise=0.1") == "0");
  CHECK(why("--bits 4 --quant weight_n=numel") == "without steps per channel");
  CHECK(why("--bits 4 --quant weight_n=numel --per-channel") == "0");
  CHECK(why("--bits 4 --quant step_change=free --quant step_sign=abs") == "with step_sign abs");
  CHECK(why("--bits 4 --quant step_decay=true --weight-decay 0") == "with --weight-decay 0");
  CHECK(why("--bits 4 --method lsq+ --step-init mse --quant sigma_divisor=q_p") == "with step_init mse");
  CHECK(why("--bits 4 --method minmax --quant act_range=widest --quant average_rate=0.1") == "with act_range widest");
  CHECK(why("--bits 4 --method faq --quant percentile_8bit=99") == "below 8 bits");
  CHECK(why("--bits 4 --first-last-bits 8 --method faq --quant percentile_8bit=99") == "0");
  CHECK(why("--bits 8 --method faq --quant percentile=99") == "at 8 bits");
  CHECK(why("--bits 4 --method pact --quant alpha_from=mse --quant alpha_init=3") == "with alpha_from mse");
  CHECK(why("--weight-bits 2 --act-bits 32 --method lcq --quant intervals=8") == "on levels of one step");
  CHECK(why("--bits 2 --method lcq --quant intervals=8") == "0");
  CHECK(why("--bits 4 --method lcq --quant normalise=false --quant detach_norm=true") == "with normalise false");
  // Of the other side.
  CHECK(why("--bits 4 --method lsq --act-method pact --quant input_n=numel") == "on activations of method pact");
  CHECK(idle("--weight-bits 4 --act-bits 32 --act-method lsq --quant act.input_n=numel") == "2");
  CHECK(why("--bits 4 --method dorefa --act-method lsq --step-init mse") == "0");
  // Of a file, what is not at its default.
  const ntq::test::TempFolder folder;
  const std::string file = folder / "c.json";
  write_file(file, R"({"bits": 8, "quant": {"freeze": 0.01, "freeze_from": 0.1, "dampen": 0.1}})");
  const TrainCommand command = command_of({"--config", file});
  const auto lines = options_without_effect(command.config, command.given_json, command.file_json);
  CHECK(lines == std::vector<std::string>{"--quant freeze has no effect on weights of more than 4 bits"});
}

TEST_CASE("--resume passes over runs whose method lacks a setting, and says where the run has it") {
  const TempFolder folder;
  const auto make_run = [&](const std::string& name, std::vector<std::string> words) {
    words.insert(words.end(), {"--bits", "4", "--output", folder.str()});
    std::filesystem::create_directory(folder / name);
    write_file(folder / (name + "/config.json"), config_to_json(config_of(words), JsonPart::all).dump());
  };
  make_run("b", {"--quant", "noise=0.3"});
  make_run("a", {"--method", "lsq"});  // looked at first
  const auto resumed = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"--output", folder.str(), "--resume"});
    return resolve_resume(command_of(words)).first.name();
  };
  CHECK(resumed({"--quant", "noise=0.3"}) == "b");
  CHECK(resumed({"--quant", "step_init=lsq"}) == "a");
  const std::string known = " cifar10 resnet20 --resume=" + (folder / "a");
  CHECK(contains(run("ntq-train --quant noise=0.3" + known).err, "'quant' is {"));
  CHECK(contains(run("ntq-train --step-init mse" + known).err, "there, found step_init \"mse\""));
}

TEST_CASE("steps per channel from the command line to the checkpoint's report") {
  const TempFolder folder;
  const auto trained =
      run("ntq-train synthetic resnet20 --bits 4 --per-channel --pretrain-epochs 0 --epochs 1 --limit-train 64 "
          "--batch-size "
          "32 --limit-val 64 --threads 2 --quiet --quant noise=0.1 --output " +
          (folder / "runs"));
  REQUIRE_MESSAGE(trained.code == 0, trained.err);
  const auto info = run("ntq-info --json " + (folder / "runs/synthetic-resnet20-w4a4-ntq/last.bin"));
  REQUIRE(info.code == 0);
  const auto json = nlohmann::json::parse(info.out);
  CHECK(json["layers"][0]["weight_steps"] == 16);
  CHECK(json["layers"][0]["weight_step"] > 0);
  const auto stored = nlohmann::json::parse(json["metadata"]["ntq.quantization"].get<std::string>());
  CHECK(stored["settings"]["noise"] == 0.1);
  CHECK(stored["per_channel"] == true);
  const std::string file = folder / "out.safetensors";
  CHECK(run("ntq-export --int8 " + (folder / "runs/synthetic-resnet20-w4a4-ntq/last.bin") + " " + file).code == 0);
}
