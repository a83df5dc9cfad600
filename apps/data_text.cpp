#include "apps/data_text.h"

#include "apps/text.h"
#include "engine/check.h"
#include "engine/printable.h"

namespace ntq::apps {
namespace {

constexpr size_t kLongestName = 60, kLongestList = 200;

std::string images_text(const Json& part, const char* what) {
  if (!part.is_object()) return "";
  const std::string sum = part.contains("fingerprint") ? part["fingerprint"].get<std::string>() : "";
  return concat(part.at("images").get<int64_t>(), " ", what,
                sum.empty() ? "" : concat(" (", printable(sum, kLongestName), ")"));
}

/// "cat, dog, ... (1000 in all)".
std::string list_text(const Json& names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string name = printable(names[i].get<std::string>(), kLongestName);
    if (text.size() + name.size() > kLongestList) return concat(text, ", ... (", names.size(), " in all)");
    text += (i > 0 ? ", " : "") + name;
  }
  return text;
}

std::string numbers_text(const Json& numbers) {
  std::string text;
  for (const auto& number : numbers) text += (text.empty() ? "" : ",") + general(number.get<double>());
  return text;
}

std::string preprocessing_text(const Json& json) {
  std::string text;
  for (const auto& [key, value] : json.items()) {
    text += concat(text.empty() ? "" : ", ", key == "image_size" ? "size" : printable(key, kLongestName), " ");
    text += value.is_array()    ? numbers_text(value)
            : value.is_string() ? printable(value.get<std::string>(), kLongestName)
                                : brief(value);
  }
  return printable(text, 2 * kLongestList);
}

}  // namespace

Json metadata_object(const std::map<std::string, std::string>& metadata, const std::string& key,
                     const std::string& path) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return {};
  const std::string where = concat(printable(path), ": metadata '", key, "'");
  try {
    Json json = parse_json(found->second, where);
    if (!json.is_object()) throw CheckpointError(concat(where, ": expected a JSON object, found ", brief(json)));
    return json;
  } catch (const JsonError& error) {
    throw CheckpointError(error.what());
  }
}

std::vector<std::pair<std::string, std::string>> describe_data(const std::map<std::string, std::string>& metadata,
                                                               const std::string& path) {
  const Json data = metadata_object(metadata, "ntq.data", path);
  const Json preprocessing = metadata_object(metadata, "ntq.preprocessing", path);
  if (data.is_null() && preprocessing.is_null()) {
    return {{"images", "not recorded: an earlier version wrote the file; its data cannot be checked"}};
  }
  std::vector<std::pair<std::string, std::string>> lines;
  try {
    if (data.is_object()) {
      const std::string train = images_text(data.value("train", Json()), "training");
      const std::string val = images_text(data.value("val", Json()), "validation");
      if (!(train + val).empty())
        lines.emplace_back("images", train + (train.empty() || val.empty() ? "" : ", ") + val);
      if (data.value("changed", false)) lines.emplace_back("", "the first epochs saw others (--allow-data-change)");
      if (data.contains("classes")) lines.emplace_back("classes", list_text(data["classes"]));
    }
    if (preprocessing.is_object()) lines.emplace_back("pixels", preprocessing_text(preprocessing));
  } catch (const Json::exception&) {
    throw CheckpointError(concat(printable(path),
                                 ": metadata 'ntq.data' or 'ntq.preprocessing': expected numbers of "
                                 "images, fingerprints, names of classes and numbers, found values of other types"));
  }
  return lines;
}

}  // namespace ntq::apps
