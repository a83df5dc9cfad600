#pragma once
// ntq-train's words, parsed as its main() does.
#include <optional>
#include <string>
#include <vector>

#include "apps/options.h"
#include "tests/support/text.h"

namespace ntq::test {

using Words = std::vector<std::string>;

/// {"cifar10", "resnet20", ...} without the command itself.
inline std::optional<apps::TrainCommand> train_command(Words words) {
  words.insert(words.begin(), "ntq-train");
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  return apps::parse_train_command(static_cast<int>(argv.size()), argv.data());
}

// Of a run on CIFAR-10 with ResNet-20 and these options.
inline apps::TrainCommand command_of(Words options) {
  options.insert(options.begin(), {"cifar10", "resnet20"});
  return *train_command(options);
}
inline apps::TrainConfig config_of(const Words& options) { return command_of(options).config; }
/// What is said to wrong ones; "" when they are taken.
inline std::string refusal(const Words& options) {
  return error_of<apps::UsageError>([&] { command_of(options); });
}

}  // namespace ntq::test
