// ntq-train: trains a network, in full precision or quantization-aware.
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "apps/signals.h"
#include "apps/stages.h"

using namespace ntq::apps;

int main(int argc, char** argv) {
  return run_command(argc, argv, [&] {
    const auto command = parse_train_command(argc, argv);
    if (!command) return;
    if (command->print_config) {
      const TrainConfig config = command->resume ? resolve_resume(*command).second : command->config;
      std::cout << config_to_json(config, JsonPart::all).dump(2) << '\n';
      return;
    }
    catch_stop_signals();
    Console console(command->quiet, command->json);
    nlohmann::ordered_json summary;
    try {
      if (command->resume) {
        summary = resume_run(*command, console);
      } else if (command->dry_run) {
        summary = dry_run(command->config, console);
      } else {
        summary = start_run(command->config, console);
      }
    } catch (const std::exception& e) {
      console.log(std::string("stopped: ") + e.what());  // the log of the run says how it ended, too
      throw;
    }
    if (command->json) std::cout << summary.dump() << '\n';
  });
}
