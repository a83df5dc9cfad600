#include "apps/layer_bits.h"

#include <algorithm>

#include "apps/config.h"
#include "apps/json.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/input_file.h"
#include "base/printable.h"
#include "base/text.h"
#include "layers/weighted_layer.h"

namespace ntq::apps {
namespace {

constexpr uint64_t kLargestFile = 1 << 20;
constexpr size_t kNamed = 40;  // layers in a message

/// 2 to 8, or 32; nothing for another text.
std::optional<int> one_number(std::string_view text) {
  if (text == "32" || text == "fp") return 32;
  if (text.size() == 1 && text[0] >= '2' && text[0] <= '8') return text[0] - '0';
  return std::nullopt;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r"), last = text.find_last_not_of(" \t\r");
  return first == std::string_view::npos ? std::string_view() : text.substr(first, last - first + 1);
}

void add_one(const std::string& where, std::string_view text, Json& out) {
  const size_t equals = text.find('=');
  const auto name = std::string(trimmed(text.substr(0, equals)));
  const auto bits = equals == std::string_view::npos ? std::string() : std::string(trimmed(text.substr(equals + 1)));
  if (name.empty() || bits.empty() || !is_utf8(name) || !is_utf8(bits)) {
    throw UsageError(concat(where, ": expected LAYER=BITS, found ", in_quotes(std::string(text))));
  }
  if (out.contains(name)) throw UsageError(concat(where, ": layer ", in_quotes(name), " is named twice"));
  out[name] = bits;
}

/// The text in front of a remark, line by line.
void add_lines(const std::string& path, std::string_view text, Json& out) {
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, std::min(end, text.find('#'))));
    if (!line.empty()) add_one(concat(path, ", line ", number), line, out);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

/// The parts between commas.
std::vector<std::string> between_commas(std::string_view text) {
  std::vector<std::string> parts;
  for (size_t comma = 0; comma != std::string_view::npos; text.remove_prefix(std::min(comma + 1, text.size()))) {
    comma = text.find(',');
    parts.emplace_back(trimmed(text.substr(0, comma)));
  }
  return parts;
}

/// The same bits; of a plain number only those of the side that the model quantizes, where it quantizes only one.
LayerBits of_quantized_sides(const std::string& text, LayerBits bits, bool weights, bool activations) {
  const auto plain = one_number(text);
  if (plain && *plain != 32 && weights != activations) (weights ? bits.activation : bits.weight).reset();
  return bits;
}

std::string text_of_json(const Json& value) { return value.is_string() ? value.get<std::string>() : dump_json(value); }

Json read_bits_file(const std::string& path) {
  Json out = Json::object();
  std::string text;
  try {
    text = read_text_file(path, kLargestFile);
    const size_t first = text.find_first_not_of(" \t\r\n");
    if (first != std::string::npos && text[first] == '{') {
      out = parse_json(text, path);
    } else {
      add_lines(path, text, out);
    }
  } catch (const std::exception& e) {
    throw UsageError(concat("--bits-file ", e.what()));
  }
  if (out.empty()) throw UsageError(concat("--bits-file ", path, ": expected layers and their bits, found none"));
  for (const auto& [name, value] : out.items()) {
    parse_layer_bits(concat("--bits-file ", path, ": layer ", in_quotes(name)), text_of_json(value));
  }
  return out;
}

}  // namespace

LayerBits parse_layer_bits(const std::string& where, const std::string& text) {
  if (const auto both = one_number(text)) return {both, both};
  LayerBits out;
  const size_t w = text.find('w'), a = text.find('a', w == 0 ? 1 : 0);
  if (w == 0) out.weight = one_number(std::string_view(text).substr(1, a == std::string::npos ? a : a - 1));
  if (a != std::string::npos) out.activation = one_number(std::string_view(text).substr(a + 1));
  const bool whole = (w == 0) == out.weight.has_value() && (a != std::string::npos) == out.activation.has_value() &&
                     (w == 0 || a == 0);
  if (!whole) {
    throw UsageError(concat(where,
                            ": expected bits 2 to 8, 32 or fp, or those of weights and activations as w8a4, found ",
                            in_quotes(text)));
  }
  return out;
}

std::string layer_bits_text(const LayerBits& bits) {
  if (bits.weight == 32 && bits.activation == 32) return "fp";
  return concat(bits.weight ? concat("w", *bits.weight) : "", bits.activation ? concat("a", *bits.activation) : "");
}

void add_layer_bits(const std::string& where, std::string_view text, Json& out) {
  for (const std::string& one : between_commas(text)) add_one(where, one, out);
}

void take_bits_file(Json& options, const std::string& where) {
  if (!options.is_object() || !options.contains("bits_file")) return;
  const Json path = options["bits_file"];
  options.erase("bits_file");
  if (path.is_null()) return;
  if (!path.is_string()) throw UsageError(concat(where, ": 'bits_file': expected a string, found ", brief(path)));
  const Json file = read_bits_file(path.get<std::string>());
  Json& layers = options["bits_of"];
  if (layers.is_null()) layers = Json::object();
  if (!layers.is_object()) return;  // apply_json() says what is wrong
  for (const auto& [name, value] : file.items()) {
    if (layers.contains(name) && text_of_json(layers[name]) != text_of_json(value)) {
      throw UsageError(concat("--bits-of ", name, "=", text_of_json(layers[name]), " and ", text_of_json(value), " in ",
                              path.get<std::string>(), ": expected one value, found two"));
    }
    layers[name] = value;
  }
}

void validate_layer_bits(const BitsByLayer& layers) {
  for (const auto& [name, text] : layers) {
    if (name.empty()) throw UsageError("--bits-of: expected LAYER=BITS, found a layer without a name");
    parse_layer_bits("--bits-of " + printable(name, 80), text);
  }
}

BitsByLayer resolved_layer_bits(const BitsByLayer& layers, bool weights, bool activations) {
  BitsByLayer out;
  for (const auto& [name, text] : layers) {
    const LayerBits bits = parse_layer_bits("--bits-of " + name, text);
    out[name] = layer_bits_text(of_quantized_sides(text, bits, weights, activations));
  }
  return out;
}

std::vector<LayerBits> parse_widths(const std::string& where, const std::optional<std::string>& text) {
  std::vector<LayerBits> out;
  if (!text) return out;
  for (const std::string& one : between_commas(*text)) {
    out.push_back(parse_layer_bits(where, one));
    if (out.back().weight == 32 && out.back().activation == 32) {
      throw UsageError(concat(where, ": expected bits 2 to 8, found ", in_quotes(one),
                              "; full precision comes first by itself (--pretrain-epochs)"));
    }
  }
  return out;
}

std::string resolved_widths(const std::string& text, int weight_bits, int activation_bits) {
  const std::vector<LayerBits> widths = parse_widths("--bits-before", text);
  const std::vector<std::string> words = between_commas(text);
  std::vector<std::string> out;
  for (size_t i = 0; i < widths.size(); ++i) {
    const LayerBits bits = of_quantized_sides(words[i], widths[i], weight_bits < 32, activation_bits < 32);
    out.push_back(layer_bits_text({bits.weight.value_or(weight_bits), bits.activation.value_or(activation_bits)}));
  }
  const std::string resolved = join(out, ",");
  parse_widths("--bits-before", resolved);  // no stage is in full precision
  return resolved;
}

std::string layers_text(const BitsByLayer& layers) {
  std::vector<std::string> texts;
  for (const auto& [name, text] : layers) texts.push_back(name + "=" + text);
  return join(texts);
}

void check_layer_names(const BitsByLayer& layers, const std::string& model, Module& plain) {
  std::vector<std::string> names;
  plain.visit([&](const std::string& name, Module& module) {
    if (dynamic_cast<const WeightedLayer*>(&module) != nullptr) names.push_back(name);
  });
  for (const auto& entry : layers) {
    if (std::find(names.begin(), names.end(), entry.first) != names.end()) continue;
    const std::string guess = nearest(entry.first, names);
    throw UsageError(concat("--bits-of, --bits-file: ", model, " has no layer ", in_quotes(entry.first),
                            guess.empty()
                                ? "; its layers: " + join_first(names, kNamed, [](const auto& n) { return n; })
                                : "; did you mean " + guess + "?"));
  }
}

}  // namespace ntq::apps
