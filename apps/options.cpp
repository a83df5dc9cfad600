#include "apps/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "apps/command.h"
#include "apps/command_line.h"
#include "apps/json.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/input_file.h"
#include "base/printable.h"
#include "base/text.h"
#include "data/dataset.h"
#include "models/model.h"
#include "quant/method.h"

namespace ntq::apps {
namespace {

/// config.json holds UTF-8 alone, and a run that cannot be resumed is worth nothing.
void check_utf8(const std::string& option, const std::string& text) {
  if (is_utf8(text)) return;
  const char* advice = option[0] == '-' ? "; rename the file or folder, or name it by a link" : "";
  throw UsageError(concat(option, ": expected UTF-8, found ", in_quotes(text), advice));
}

/// With the methods of this build, and defaults that the shared words leave to each command.
std::string help_of(const Option& option) {
  if (option.key() == "device") return concat(option.help, " [", TrainConfig().device, "]");
  return option.key() == "method" ? join(quantizer_names()) + " [" + TrainConfig().method + "]" : option.help;
}

const char* value_name(const std::string& key) {
  if (key == "init" || key == "val_labels") return "FILE";
  if (key == "mean" || key == "std") return "R,G,B";
  if (key == "bits_before") return "N,N";
  return key == "data_dir" || key == "output" ? "DIR" : "NAME";
}

/// One option on the command line; its value lands in `given`, under the key of the config file.
void add_option(CLI::App& app, const Option& option, Json& given, const std::string&) {
  const auto set = [&given, key = option.key(), name = concat("--", option.name)](const std::string& text) {
    check_utf8(name, text);
    given[key] = text;
  };
  app.add_option_function<std::string>(concat("--", option.name), set, help_of(option))
      ->type_name(value_name(option.key()));
}
void add_option(CLI::App& app, const Option& option, Json& given, int64_t) {
  const auto set = [&given, key = option.key(), name = concat("--", option.name)](const std::string& text) {
    given[key] = parse_integer(name, text);
  };
  app.add_option_function<std::string>(concat("--", option.name), set, option.help)->type_name("N");
}
void add_option(CLI::App& app, const Option& option, Json& given, double) {
  const auto set = [&given, key = option.key(), name = concat("--", option.name)](const std::string& text) {
    given[key] = parse_real(name, text);
  };
  app.add_option_function<std::string>(concat("--", option.name), set, option.help)->type_name("X");
}
template <class T>
void add_option(CLI::App& app, const Option& option, Json& given, const std::optional<T>&) {
  add_option(app, option, given, T{});
}
void add_option(CLI::App& app, const Option& option, Json& given, bool) {
  const auto set = [&given, key = option.key()](int64_t count) { given[key] = count > 0; };
  app.add_flag_function(concat("--", option.name), set, option.help);
}

/// --quant may come several times, each with one KEY=VALUE.
void add_option(CLI::App& app, const Option& option, Json& given, const Settings&) {
  const auto set = [&given, key = option.key(), name = concat("--", option.name)](const std::vector<std::string>& all) {
    for (const auto& text : all) {
      check_utf8(name, text);
      const auto equals = text.find('=');
      if (equals == 0 || equals >= text.size() - 1) {
        throw UsageError(concat(name, ": expected KEY=VALUE, found ", in_quotes(text)));
      }
      given[key][text.substr(0, equals)] = text.substr(equals + 1);
    }
  };
  app.add_option_function<std::vector<std::string>>(concat("--", option.name), set, option.help)
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

/// --bits-of may come several times, each with one LAYER=BITS or more.
void add_option(CLI::App& app, const Option& option, Json& given, const BitsByLayer&) {
  const auto set = [&given, key = option.key(), name = concat("--", option.name)](const std::vector<std::string>& all) {
    Json& layers = given[key] = Json::object();
    for (const auto& text : all) add_layer_bits(name, text, layers);
  };
  app.add_option_function<std::vector<std::string>>(concat("--", option.name), set, option.help)
      ->type_name("LAYER=BITS")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

Json read_config_file(const std::string& path) {
  if (path.empty()) throw UsageError("--config: expected a file, found nothing");
  try {
    return parse_json(read_text_file(path), path);
  } catch (const std::exception& e) {
    throw UsageError(concat("--config ", e.what()));
  }
}

/// What the command line names wins over what the file derived from it: --bits 2 over the file's weight_bits.
void drop_derived(TrainConfig& config, const Json& given) {
  if (!given.contains("bits")) return;
  if (!given.contains("weight_bits")) config.weight_bits.reset();
  if (!given.contains("act_bits")) config.act_bits.reset();
}

bool is_in(const Json& given, const char* key, const std::vector<std::string>& names) {
  return given.contains(key) && std::find(names.begin(), names.end(), given[key].get<std::string>()) != names.end();
}

void check_order(const Json& given) {
  if (!is_in(given, "dataset", model_names())) return;
  const std::string model = given["dataset"], dataset = given.value("model", "cifar10");
  throw UsageError(concat("DATASET: found the model ", model, "; DATASET comes before MODEL: ntq-train ",
                          is_in(given, "model", dataset_names()) ? dataset : "cifar10", " ", model));
}

}  // namespace

std::optional<TrainCommand> parse_train_command(int argc, char** argv) {
  TrainCommand command;
  Json& given = command.given_json;
  given = Json::object();
  std::optional<std::string> config_file;
  std::optional<std::string> method;
  std::string resume;
  CLI::App app("Train a network in full or in low precision and save it: ntq-train cifar10 resnet20 --bits 4");
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  const auto positional = [&](const char* name, const char* key, const std::vector<std::string>& names) {
    const auto set = [&given, name, key](const std::string& text) {
      check_utf8(name, text);
      given[key] = text;
    };
    app.add_option_function<std::string>(name, set, join(names))->type_name("");
  };
  positional("DATASET", "dataset", dataset_names());
  positional("MODEL", "model", in_natural_order(model_names()));
  for_each_option(command.config, [&](const Option& option, auto& field) {
    app.option_defaults()->group(option.group);
    add_option(app, option, given, field);
  });
  app.option_defaults()->group("Quantization");
  const auto bits_file = [&](const std::string& path) { given["bits_file"] = path; };
  app.add_option_function<std::string>("--bits-file", bits_file, "the same from a file: JSON, or a line for each layer")
      ->type_name("FILE");
  app.add_option("--help-method", method, "print the settings of a method and stop")->type_name("NAME");
  app.option_defaults()->group("Run");
  app.add_option("--config", config_file, "JSON file of options; the command line wins")->type_name("FILE");
  auto* resume_option =
      app.add_option("--resume", resume, "go on with RUN, or with the newest unfinished run")->expected(0, 1);
  resume_option->type_name("RUN");
  app.add_flag("--allow-data-change", command.allow_data_change, "of --resume: go on though the data are others");
  app.add_flag("--print-config", command.print_config, "print the effective options as JSON and stop");
  app.add_flag("--dry-run", command.dry_run, "build all, take two steps, print time and memory; write nothing");
  app.add_flag("--profile", command.profile, "time each operator: a table at the end, trace.json in the run folder");
  app.add_flag("--quiet", command.quiet, "only warnings and errors");
  app.add_flag("--json", command.json, "one JSON object on stdout, all else on stderr");
  if (!parse_or_answer(app, argc, argv)) return std::nullopt;
  if (method) {
    const auto names = quantizer_names();
    if (std::find(names.begin(), names.end(), *method) == names.end()) {
      throw UsageError(concat("--help-method: expected one of ", join(names), "; found ", in_quotes(*method)));
    }
    std::cout << describe(quant_method(*method));
    return std::nullopt;
  }
  check_order(given);
  const bool bits_are_listed = given.contains("bits_file");
  take_bits_file(given, "command line");

  apply_json(command.given, given, "command line");
  if (command.allow_data_change && resume_option->count() == 0) {
    throw UsageError("--allow-data-change: only together with --resume");
  }
  if (command.profile && (command.dry_run || command.print_config)) {
    throw UsageError("--profile: not together with --dry-run or --print-config, which train nothing");
  }
  if (resume_option->count() > 0) {
    if (command.dry_run || config_file) throw UsageError("--resume: not together with --dry-run or --config");
    command.resume = resume;
    command.config = command.given;
    return command;
  }
  if (config_file) {
    command.file_json = read_config_file(*config_file);
    if (is_of_older_release(command.file_json)) command.file_json = without_sentinels(command.file_json);
    take_bits_file(command.file_json, *config_file);
    apply_json(command.config, command.file_json, *config_file);
  }
  if (bits_are_listed) command.config.bits_of.clear();  // those of the config file
  drop_derived(command.config, given);
  apply_json(command.config, given, "command line");
  validate(command.config);
  command.config = resolve(command.config);
  for_each_option(command.config, [&](const Option& option, const auto& field) {
    // A relative path has become an absolute one.
    if constexpr (std::is_same_v<std::decay_t<decltype(field)>, std::optional<std::string>>) {
      check_utf8(concat("--", option.name), field.value_or(""));
    }
  });
  return command;
}

}  // namespace ntq::apps
