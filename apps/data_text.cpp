#include "apps/data_text.h"

#include "apps/data_record.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/printable.h"

namespace ntq::apps {
namespace {

constexpr size_t kLongestName = 60, kLongestList = 200;

std::string images_text(const SplitRecord& split, const char* what) {
  if (split.images == 0) return "";
  const std::string& sum = split.fingerprint;
  return concat(split.images, " ", what, sum.empty() ? "" : concat(" (", printable(sum, kLongestName), ")"));
}

/// "cat, dog, ... (1000 in all)".
std::string list_text(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string name = printable(names[i], kLongestName);
    if (text.size() + name.size() > kLongestList) return concat(text, ", ... (", names.size(), " in all)");
    text += (i > 0 ? ", " : "") + name;
  }
  return text;
}

std::string preprocessing_text(const Preprocessing& p) {
  const auto numbers = [&](const std::array<float, 3>& values) {
    std::string text;
    for (size_t i = 0; i < static_cast<size_t>(p.channels); ++i) text += (i > 0 ? "," : "") + general(values[i]);
    return text;
  };
  return concat("mean ", numbers(p.mean), ", std ", numbers(p.deviation), ", size ", p.image_size, ", crop ", p.crop,
                ", stem ", p.stem, ", channels ", p.channels, p.fast_decode ? ", fast decode" : "");
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
  const auto data = data_record(metadata, path);
  const auto preprocessing = preprocessing_record(metadata, path);
  if (!data && !preprocessing) {
    return {{"images", "not recorded: an earlier version wrote the file; its data cannot be checked"}};
  }
  std::vector<std::pair<std::string, std::string>> lines;
  if (data) {
    const std::string train = images_text(data->train, "training"), val = images_text(data->val, "validation");
    if (!(train + val).empty()) lines.emplace_back("images", train + (train.empty() || val.empty() ? "" : ", ") + val);
    if (data->changed) lines.emplace_back("", "the first epochs saw others (--allow-data-change)");
    lines.emplace_back("classes", list_text(data->classes));
  }
  if (preprocessing) lines.emplace_back("pixels", preprocessing_text(*preprocessing));
  return lines;
}

}  // namespace ntq::apps
