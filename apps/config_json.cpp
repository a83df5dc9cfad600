// TrainConfig as JSON: the config file, config.json of a run, and the recipe in a checkpoint.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "apps/config_quant.h"
#include "apps/json.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/printable.h"

namespace ntq::apps {
namespace {

void assign(const Json& json, std::string& field, const std::string& where) {
  if (!json.is_string()) throw UsageError(concat(where, ": expected a string, found ", brief(json)));
  field = json.get<std::string>();
}
void assign(const Json& json, bool& field, const std::string& where) {
  if (!json.is_boolean()) throw UsageError(concat(where, ": expected true or false, found ", brief(json)));
  field = json.get<bool>();
}
void assign(const Json& json, double& field, const std::string& where) {
  if (!json.is_number()) throw UsageError(concat(where, ": expected a number, found ", brief(json)));
  field = json.get<double>();
}
void assign(const Json& json, int64_t& field, const std::string& where) {
  const bool fits =
      !json.is_number_unsigned() || json.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (!json.is_number_integer() || !fits) {
    throw UsageError(concat(where, ": expected an integer, found ", brief(json)));
  }
  field = json.get<int64_t>();
}

/// Beside those that are there.
void assign(const Json& json, Settings& field, const std::string& where) {
  if (!json.is_object()) throw UsageError(concat(where, ": expected an object of settings, found ", brief(json)));
  for (const auto& [key, value] : json.items()) {
    if (value.is_number()) {
      field.insert_or_assign(key, value.get<double>());
    } else if (value.is_boolean()) {
      field.insert_or_assign(key, value.get<bool>());
    } else if (value.is_string()) {
      field.insert_or_assign(key, value.get<std::string>());
    } else {
      throw UsageError(
          concat(where, ": ", in_quotes(key), ": expected a number, true, false or a name, found ", brief(value)));
    }
  }
}

template <class T>
void assign(const Json& json, std::optional<T>& field, const std::string& where) {
  if (json.is_null()) {
    field.reset();
  } else {
    assign(json, field.emplace(), where);
  }
}

template <class T>
Json value_of(const T& field) {
  return field;
}
Json value_of(const Settings& settings) {
  Json out = Json::object();
  for (const auto& [key, value] : settings) {
    const double number = value.is_number() ? value.number() : 0.5;
    const bool whole = number == std::floor(number) && std::abs(number) < 1e15;
    out[key] = value.is_flag()   ? Json(value.flag())
               : value.is_word() ? Json(value.word())
               : whole           ? Json(static_cast<int64_t>(number))
                                 : Json(number);
  }
  return out;
}
template <class T>
Json value_of(const std::optional<T>& field) {
  return field ? Json(*field) : Json(nullptr);
}

/// What `json` names wins over what `config` has under another name: --noise over "quant": {"noise"} and the other way,
/// and another method over settings that only the one before it has.
void drop_overridden(TrainConfig& config, const Json& json) {
  const auto names = [&](const std::string& key) { return json.contains(key) && !json[key].is_null(); };
  const Json quant = names("quant") && json["quant"].is_object() ? json["quant"] : Json::object();
  for_each_short_form(config, [&](const char* key, auto& field) {
    if (!names(key) && quant.contains(key)) field.reset();
    if (!names(key)) return;
    for (const std::string& same : {std::string(key), concat("act.", key)}) {
      if (!quant.contains(same)) config.quant.erase(same);
    }
  });
  if (quant.contains("act.method") && !names("act_method")) config.act_method.reset();
  if (names("act_method") && !quant.contains("act.method")) config.quant.erase("act.method");
  const auto methods = quantizer_names();
  const auto keep_those_of = [&](const Json& method, const std::string& prefix) {
    if (!method.is_string() || std::count(methods.begin(), methods.end(), method.get<std::string>()) == 0) return;
    const auto& settings = quant_method(method.get<std::string>()).settings;
    std::erase_if(config.quant, [&](const auto& entry) {
      const std::string& key = entry.first;
      const bool meant = key.starts_with("act.") == !prefix.empty() && key != "act.method" && !quant.contains(key);
      return meant &&
             std::none_of(settings.begin(), settings.end(), [&](const Setting& s) { return prefix + s.name == key; });
    });
  };
  const bool own =
      names("act_method") || config.act_method || config.quant.contains("act.method") || quant.contains("act.method");
  if (names("method") && json["method"] != config.method) {
    keep_those_of(json["method"], "");
    if (!own) keep_those_of(json["method"], "act.");
  }
  if (quant.contains("act.method")) keep_those_of(quant["act.method"], "act.");
  if (names("act_method")) keep_those_of(json["act_method"], "act.");
}

}  // namespace

Json config_to_json(const TrainConfig& config, JsonPart part) {
  Json json = {{"dataset", config.dataset}, {"model", config.model}};
  for_each_option(config, [&](const Option& option, const auto& field) {
    if (part == JsonPart::all || option.scope == Scope::recipe) json[option.key()] = value_of(field);
  });
  return json;
}

void apply_json(TrainConfig& config, const Json& json, const std::string& where) {
  if (!json.is_object()) throw UsageError(where + ": expected a JSON object of options");
  std::vector<std::string> known = {"dataset", "model"};
  for_each_option(config, [&](const Option& option, auto&) { known.push_back(option.key()); });
  for (const auto& [key, value] : json.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string guess = nearest(key, known);
    throw UsageError(
        concat(where, ": unknown key '", printable(key, 80), "'",
               guess.empty() ? "; ntq-train --print-config shows all keys" : "; did you mean '" + guess + "'?"));
  }
  const auto take = [&](const std::string& key, auto& field) {
    if (json.contains(key)) assign(json[key], field, concat(where, ": '", key, "'"));
  };
  drop_overridden(config, json);
  take("dataset", config.dataset);
  take("model", config.model);
  for_each_option(config, [&](const Option& option, auto& field) { take(option.key(), field); });
}

Json without_sentinels(Json json) {
  if (!json.is_object()) return json;
  for (const char* key : {"data_dir", "val_labels", "mean", "std", "init"}) {
    if (json.contains(key) && json[key] == "") json[key] = nullptr;
  }
  for (const char* key : {"workers", "max_bad_images", "pretrain_epochs"}) {
    if (json.contains(key) && json[key] == -1) json[key] = nullptr;
  }
  for (const char* key : {"limit_train", "limit_val", "weight_bits", "act_bits", "first_last_bits", "threads"}) {
    if (json.contains(key) && json[key] == 0) json[key] = nullptr;
  }
  if (json.contains("max_bad_images") && json["max_bad_images"].is_null()) json.erase("max_bad_images");
  return json;
}

bool is_of_older_release(const Json& json) {
  const auto has = [&](const char* key) { return json.contains(key); };
  return json.is_object() && has("workers") && has("mean") && has("init") && has("limit_train") &&
         !has("refresh_index");
}

}  // namespace ntq::apps
