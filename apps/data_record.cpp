#include "apps/data_record.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "apps/json.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/number.h"
#include "base/printable.h"
#include "base/text.h"

namespace ntq::apps {
namespace {

constexpr const char *kData = "ntq.data", *kPreprocessing = "ntq.preprocessing";

Json split_to_json(const SplitRecord& split) { return {{"images", split.images}, {"fingerprint", split.fingerprint}}; }

SplitRecord split_from(const Json& json) {
  return {json.at("images").get<int64_t>(), json.at("fingerprint").get<std::string>()};
}

/// The shortest decimal that gives the same float: 0.485, not 0.48500001430511475.
Json channels_to_json(const std::array<float, 3>& values, int64_t channels) {
  Json out = Json::array();
  for (size_t i = 0; i < static_cast<size_t>(channels) && i < values.size(); ++i) {
    char text[32];
    const char* const end = std::to_chars(text, text + sizeof text, values[i]).ptr;
    out.push_back(*to_number<double>({text, end}));
  }
  return out;
}

std::array<float, 3> channels_from(const Json& json) {
  std::array<float, 3> out{};
  if (!json.is_array() || json.empty() || json.size() > out.size())
    throw CheckpointError("expected one to three numbers");
  for (size_t i = 0; i < json.size(); ++i) out[i] = json[i].get<float>();
  return out;
}

/// read(JSON of the entry); nothing when there is none.
template <class T, class Read>
std::optional<T> entry(const Metadata& metadata, const char* key, const std::string& path, Read read) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return std::nullopt;
  const std::string where = concat(path, ": metadata '", key, "'");
  try {
    return read(parse_json(found->second, where));
  } catch (const Json::exception&) {
    throw CheckpointError(where + ": expected the fields that ntq-train writes; the file is damaged, use another copy");
  } catch (const std::exception& e) {
    throw CheckpointError(concat(e.what()).rfind(where, 0) == 0 ? e.what() : concat(where, ": ", e.what()));
  }
}

std::string first_names(const std::vector<std::string>& names) { return join_first(names, 3); }

void compare(const char* what, const SplitRecord& there, const SplitRecord& here, std::vector<std::string>& out) {
  if (there.images != here.images) {
    out.push_back(concat(there.images, " ", what, " images there, ", here.images, " here"));
  } else if (there.fingerprint != here.fingerprint) {
    out.push_back(concat("as many ", what, " images, but not the same ones (", there.fingerprint, " there, ",
                         here.fingerprint, " here)"));
  }
}

}  // namespace

DataRecord record_of(const DatasetPair& data) {
  const auto split = [](const std::shared_ptr<Dataset>& set) {
    return set ? SplitRecord{set->size(), set->fingerprint()} : SplitRecord{};
  };
  const auto& any = data.train ? data.train : data.val;
  return {any->info().class_names, split(data.train), split(data.val), false};
}

Preprocessing preprocessing_of(const TrainConfig& c, const DatasetInfo& info) {
  return {.mean = info.mean,
          .deviation = info.deviation,
          .image_size = info.height,
          .channels = info.channels,
          .crop = c.photographs() ? c.aug : "whole",
          .stem = c.stem,
          .fast_decode = c.fast_decode};
}

void put_record(Metadata& metadata, const DataRecord& data, const Preprocessing& p) {
  Json json = {{"train", split_to_json(data.train)}, {"val", split_to_json(data.val)}, {"classes", data.classes}};
  if (data.changed) json["changed"] = true;
  metadata[kData] = dump_json(json);
  Json pixels = {{"mean", channels_to_json(p.mean, p.channels)},
                 {"std", channels_to_json(p.deviation, p.channels)},
                 {"image_size", p.image_size},
                 {"crop", p.crop},
                 {"stem", p.stem},
                 {"channels", p.channels}};
  if (p.fast_decode) pixels["fast_decode"] = true;
  metadata[kPreprocessing] = dump_json(pixels);
}

std::optional<DataRecord> data_record(const Metadata& metadata, const std::string& path) {
  return entry<DataRecord>(metadata, kData, path, [](const Json& json) {
    return DataRecord{json.at("classes").get<std::vector<std::string>>(), split_from(json.at("train")),
                      split_from(json.at("val")), json.value("changed", false)};
  });
}

std::optional<Preprocessing> preprocessing_record(const Metadata& metadata, const std::string& path) {
  return entry<Preprocessing>(metadata, kPreprocessing, path, [](const Json& json) {
    Preprocessing p{.mean = channels_from(json.at("mean")),
                    .deviation = channels_from(json.at("std")),
                    .image_size = json.at("image_size").get<int64_t>(),
                    .channels = json.at("channels").get<int64_t>(),
                    .crop = json.at("crop").get<std::string>(),
                    .stem = json.at("stem").get<std::string>(),
                    .fast_decode = json.value("fast_decode", false)};
    const bool crop = p.crop == "paper" || p.crop == "field" || p.crop == "whole";
    const bool usable = crop && p.image_size >= 1 && p.image_size <= 4096 && p.channels >= 1 && p.channels <= 3 &&
                        (p.stem == "cifar" || p.stem == "imagenet");
    if (!usable) throw CheckpointError("expected a size to 4096, 1 to 3 channels, a known crop and stem");
    for (size_t i = 0; i < static_cast<size_t>(p.channels); ++i) {
      if (p.mean[i] >= 0 && p.mean[i] <= 1 && p.deviation[i] > 0 && p.deviation[i] <= 1) continue;
      throw CheckpointError("expected means in [0, 1] and deviations in (0, 1]");
    }
    return p;
  });
}

void use_preprocessing(TrainConfig& recipe, const Preprocessing& trained) {
  const bool gray = trained.channels == 1;  // the first of three numbers is the channel's
  const auto text = [&](const std::array<float, 3>& v) {
    return concat(general(v[0], 9), ",", general(v[gray ? 0 : 1], 9), ",", general(v[gray ? 0 : 2], 9));
  };
  recipe.mean = text(trained.mean);
  recipe.std = text(trained.deviation);
}

std::string other_preprocessing(const Metadata& metadata, const std::string& path, const Preprocessing& here) {
  const auto there = preprocessing_record(metadata, path);
  if (!there || there->channels != here.channels) return "";
  const auto text = [&](const Preprocessing& p) {
    return concat("mean ", channels_to_json(p.mean, here.channels).dump(), ", deviation ",
                  channels_to_json(p.deviation, here.channels).dump());
  };
  const std::string was = text(*there), is = text(here);
  return was == is ? "" : concat("the file's network was trained on images of ", was, ", here of ", is);
}

std::vector<std::string> differences(const DataRecord& there, const DataRecord& here, bool training_only) {
  std::vector<std::string> out;
  if (there.classes.size() != here.classes.size()) {
    out.push_back(concat(there.classes.size(), " classes there (", first_names(there.classes), "), ",
                         here.classes.size(), " here (", first_names(here.classes), ")"));
  } else if (there.classes != here.classes) {
    const auto at = std::mismatch(there.classes.begin(), there.classes.end(), here.classes.begin());
    out.push_back(
        concat("class ", at.first - there.classes.begin(), " is '", *at.first, "' there, '", *at.second, "' here"));
  }
  compare("training", there.train, here.train, out);
  if (!training_only) compare("validation", there.val, here.val, out);
  return out;
}

std::string unknown_classes(const std::string& path) {
  return printable(path) +
         ": does not name its classes (of an older release or another program): whether they are those of the data "
         "could not be checked";
}

std::string check_same_data(const Metadata& metadata, const std::string& path, const DataRecord& here,
                            bool allow_change, bool training_only) {
  const auto there = data_record(metadata, path);
  if (!there) {
    return path +
           ": written by an older release, without classes and fingerprint of its data: whether these are the "
           "same data could not be checked";
  }
  const std::string found = join(differences(*there, here, training_only), "; ");
  if (found.empty()) return "";
  if (allow_change) return concat(path, ": goes on with other data (--allow-data-change): ", found);
  throw CheckpointError(concat(path, ": the run was trained on other data: ", found,
                               "; name its data with --data-dir, start a new run, or give --allow-data-change"));
}

}  // namespace ntq::apps
