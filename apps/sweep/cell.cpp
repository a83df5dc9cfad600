#include "apps/sweep/cell.h"

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "apps/sweep/sweep_file.h"
#include "base/check.h"
#include "base/text.h"

namespace ntq::apps {
namespace {

/// The recipe without what stands at its default, so that an option of a later release leaves names as they are.
Json short_recipe(const TrainConfig& c) {
  TrainConfig plain;
  plain.dataset = c.dataset, plain.model = c.model, plain.method = c.method;
  plain.weight_bits = c.weight_bits, plain.act_bits = c.act_bits, plain.init = c.init;
  const Json standard = config_to_json(resolve(plain), JsonPart::recipe);
  Json recipe = config_to_json(c, JsonPart::recipe), out = Json::object();
  for (const char* key : {"dataset", "model", "method", "weight_bits", "act_bits"}) out[key] = recipe[key];
  for (const auto& [key, value] : recipe.items()) {
    if (value == standard[key] || key == "bits") continue;
    if (key != "quant") {
      out[key] = value;
      continue;
    }
    for (const auto& [name, setting] : value.items()) {
      if (!standard[key].contains(name) || standard[key][name] != setting) out[key][name] = setting;
    }
  }
  return out;
}

/// FNV-1a, 40 of its 64 bits as ten digits.
std::string digest(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
  return std::string(digits, 10);
}

void add_words(std::vector<std::string>& words, const std::string& name, const std::string& key, const Json& value) {
  if (value.is_boolean()) {
    words.push_back(value.get<bool>() ? name : name + "=false");
  } else if (!value.is_object()) {
    words.insert(words.end(), {name, option_text(value)});
  } else if (key == "quant") {
    for (const auto& [setting, one] : value.items())
      words.insert(words.end(), {name, setting + "=" + option_text(one)});
  } else {
    std::vector<std::string> layers;
    for (const auto& [layer, bits] : value.items()) layers.push_back(layer + "=" + option_text(bits));
    words.insert(words.end(), {name, join(layers, ",")});
  }
}

/// The options of `given` that are not at their defaults and that `wanted` takes.
template <class Wanted>
std::vector<std::string> option_words(const TrainConfig& given, Wanted wanted) {
  std::vector<std::string> words;
  const Json standard = config_to_json(TrainConfig(), JsonPart::all), json = config_to_json(given, JsonPart::all);
  for_each_option(given, [&](const Option& option, const auto&) {
    const std::string key = option.key();
    if (json[key].is_null() || json[key] == standard[key] || !wanted(option)) return;
    if ((key == "weight_bits" || key == "act_bits") && json[key] == json["bits"]) return;
    add_words(words, concat("--", option.name), key, json[key]);
  });
  return words;
}

}  // namespace

Cell make_cell(const TrainConfig& given, std::optional<size_t> start, const std::string& start_name) {
  validate(given);
  Cell cell{.given = given, .resolved = resolve(given), .start = start};
  const TrainConfig& c = cell.resolved;
  const std::string from = start ? start_name : c.init.value_or("");
  cell.name = concat(run_name(c), "-seed", c.seed, "-", digest(dump_json(short_recipe(c)) + "\n" + from));
  return cell;
}

std::vector<std::string> train_words(const TrainConfig& given) {
  std::vector<std::string> words = {given.dataset, given.model};
  const auto options = option_words(given, [](const Option& option) { return option.key() != "output"; });
  words.insert(words.end(), options.begin(), options.end());
  return words;
}

std::vector<std::string> resume_words(const TrainConfig& given) {
  return option_words(given, [](const Option& option) {
    const std::string key = option.key();
    return option.scope == Scope::run && key != "output" && key != "init" && key != "raw";
  });
}

std::string shell_line(const std::vector<std::string>& words) {
  return join(words, " ", [](const std::string& word) {
    const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
      return std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./,:+%").find(c) !=
             std::string_view::npos;
    });
    if (plain) return word;
    std::string quoted = "'";
    for (const char c : word) quoted += c == '\'' ? "'\\''" : std::string(1, c);
    return quoted + "'";
  });
}

}  // namespace ntq::apps
