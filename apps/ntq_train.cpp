// ntq-train: trains a network, in full precision or quantization-aware.
#include <iostream>

#include "apps/advice.h"
#include "apps/command.h"
#include "apps/json.h"
#include "apps/stages.h"
#include "apps/text.h"
#include "base/check.h"

using namespace ntq::apps;

int main(int argc, char** argv) {
  return run_command(argc, argv, [&] {
    const auto command = parse_train_command(argc, argv);
    if (!command) return;
    if (command->print_config) {
      const TrainConfig config = command->resume ? resolve_resume(*command).second : command->config;
      std::cout << dump_json(config_to_json(config, JsonPart::all), 2) << '\n';
      return;
    }
    Console console(command->quiet, command->json);
    nlohmann::ordered_json summary;
    if (!command->resume) {
      const auto idle = options_without_effect(command->config, command->given_json, command->file_json);
      for (const auto& text : idle) console.warn(text);
    }
    try {
      if (command->resume) {
        summary = resume_run(*command, console);
      } else if (command->dry_run) {
        summary = dry_run(*command, console);
      } else {
        summary = start_run(*command, console);
      }
    } catch (const std::exception& e) {
      console.log("stopped: " + one_line(e.what()));  // the log of the run says how it ended, too
      throw;
    }
    console.log_to("");
    const std::string& lost = console.lost();
    if (!lost.empty()) summary["error"] = lost;
    if (command->json) print_json(summary, lost.empty() ? 0 : 4);
    if (!lost.empty()) throw ntq::CheckpointError(lost + "; the training is complete, its log is not");
  });
}
