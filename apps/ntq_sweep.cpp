// ntq-sweep: trains a grid of networks by ntq-train, and makes tables of them.
#include <filesystem>

#include "apps/command.h"
#include "apps/sweep/sweep.h"
#include "base/check.h"

using namespace ntq::apps;

namespace {

/// The ntq-train that lies beside this program.
std::string train_program() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto path = self.parent_path() / "ntq-train";
  if (error || !std::filesystem::exists(path)) {
    throw ntq::DeviceError(path.string() + ": expected the program beside ntq-sweep, found nothing");
  }
  return path.string();
}

}  // namespace

int main(int argc, char** argv) {
  return run_command(argc, argv, [&] {
    const auto command = parse_sweep_command(argc, argv);
    if (!command) return;
    Console console(command->quiet, command->json);
    SweepAnswer answer = run_sweep(*command, train_program(), console);
    if (answer.failure) answer.json["error"] = answer.failure->what();
    if (command->json) print_json(answer.json, answer.failure ? answer.failure->exit_code() : 0);
    if (answer.failure) throw *answer.failure;
    if (!console.lost().empty()) throw ntq::CheckpointError(console.lost());
  });
}
