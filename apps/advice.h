#pragma once
// What a user should know about options that do nothing.
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "apps/config.h"

namespace ntq::apps {

/// One line for each option among `given` that changes nothing in a run of `config`: "--image-size has no effect on
/// cifar10". `given` has the keys of the command line. Of `from_file`, the keys of a --config file, those count that
/// are not at their default: a file of all options (--print-config) is no list of wishes.
std::vector<std::string> options_without_effect(const TrainConfig& config, const nlohmann::ordered_json& given,
                                                const nlohmann::ordered_json& from_file);
std::vector<std::string> options_without_effect(const TrainConfig& config, const nlohmann::ordered_json& given);

}  // namespace ntq::apps
