#pragma once
// What a file says of the data that its weights were trained on, for people.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "apps/json.h"

namespace ntq::apps {

/// Lines (name, text) from the metadata "ntq.data" and "ntq.preprocessing", on one line each and cut where they are
/// long; one line that says so when the data are not recorded. Throws CheckpointError, naming `path` and the key, for
/// values of other types.
std::vector<std::pair<std::string, std::string>> describe_data(const std::map<std::string, std::string>& metadata,
                                                               const std::string& path);
/// The JSON object of such a key; null where there is none. Throws CheckpointError.
Json metadata_object(const std::map<std::string, std::string>& metadata, const std::string& key,
                     const std::string& path);

}  // namespace ntq::apps
