#include "infer/graph_json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/printable.h"

namespace ntq::infer {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kDepth = 6;      // of lists and objects
constexpr size_t kMostKeys = 16;  // of an object
constexpr int64_t kLargest = int64_t{1} << 30;
constexpr Op kOps[] = {Op::conv, Op::linear,   Op::affine,        Op::quantize,      Op::add,
                       Op::relu, Op::max_pool, Op::subsample_pad, Op::global_average};

/// The shortest decimal that gives the same float.
double shortest(float value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  double out = 0;
  std::from_chars(text, end, out);
  return out;
}

Json channels_of(const std::array<float, 3>& values, int64_t channels) {
  Json out = Json::array();
  for (size_t c = 0; c < static_cast<size_t>(std::min<int64_t>(channels, 3)); ++c) out.push_back(shortest(values[c]));
  return out;
}

Json json_of(const Weights& w) {
  Json out = {{"shape", {w.out, w.kernel_h, w.kernel_w, w.in}}, {"bits", w.bits}};
  if (w.halves != 0) out["halves"] = w.halves;
  if (!w.levels.empty()) out["levels"] = w.levels.size();
  return out;
}

Json json_of(const InputCodes& c) {
  Json out = {{"bits", c.bits}, {"low", c.low}, {"high", c.high}};
  if (c.offset != 0) out["offset"] = true;
  if (!c.thresholds.empty()) out["thresholds"] = true;
  if (!c.levels.empty()) out["levels"] = true;
  return out;
}

Json json_of(const Node& node) {
  Json out = {{"op", op_name(node.op)}, {"name", node.name}, {"inputs", node.inputs}};
  if (node.relu) out["relu"] = true;
  if (node.kernel != 1) out["kernel"] = node.kernel;
  if (node.stride != 1) out["stride"] = node.stride;
  if (node.pad != 0) out["pad"] = node.pad;
  if (node.extra != 0) out["extra"] = node.extra;
  if (node.has_weights()) out["weight"] = json_of(node.weights);
  if (node.may_quantize() && node.codes.present()) out["codes"] = json_of(node.codes);
  return out;
}

/// An object of the text, read key by key.
class Fields {
 public:
  Fields(const Json& object, std::string where, std::initializer_list<const char*> keys)
      : object_(object), where_(std::move(where)) {
    if (!object.is_object()) fail("expected an object");
    for (const auto& [key, value] : object.items()) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) fail(concat("unknown key ", in_quotes(key)));
    }
  }
  template <class... Args>
  [[noreturn]] void fail(const Args&... message) const {
    throw CheckpointError(concat(where_, ": ", message...));
  }
  bool has(const char* key) const { return object_.contains(key); }
  const Json& at(const char* key) const {
    const auto found = object_.find(key);
    if (found == object_.end()) fail("no \"", key, "\"");
    return *found;
  }
  int64_t whole(const Json& value, const char* key) const {
    if (!value.is_number_integer()) fail("\"", key, "\" is no whole number");
    const bool huge = value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(kLargest);
    const int64_t number = huge ? kLargest + 1 : value.get<int64_t>();
    if (number < -kLargest || number > kLargest) fail("\"", key, "\" is beyond +-", kLargest);
    return number;
  }
  int64_t whole(const char* key) const { return whole(at(key), key); }
  int64_t whole_or(const char* key, int64_t otherwise) const { return has(key) ? whole(key) : otherwise; }
  bool flag(const char* key) const {
    if (!has(key)) return false;
    if (!at(key).is_boolean()) fail("\"", key, "\" is neither true nor false");
    return at(key).get<bool>();
  }
  std::string text(const char* key) const {
    if (!at(key).is_string()) fail("\"", key, "\" is no text");
    return at(key).get<std::string>();
  }
  const Json& list(const char* key, size_t least, size_t most) const {
    const Json& value = at(key);
    if (!value.is_array() || value.size() < least || value.size() > most) {
      fail("\"", key, "\" is no list of ", least, least == most ? "" : concat(" to ", most));
    }
    return value;
  }
  std::vector<int64_t> wholes(const char* key, size_t least, size_t most) const {
    std::vector<int64_t> out;
    for (const Json& value : list(key, least, most)) out.push_back(whole(value, key));
    return out;
  }

 private:
  const Json& object_;
  std::string where_;
};

std::array<float, 3> channels_from(const Fields& fields, const char* key, int64_t channels, float otherwise) {
  std::array<float, 3> out{otherwise, otherwise, otherwise};
  const auto count = static_cast<size_t>(std::clamp<int64_t>(channels, 1, 3));
  const Json& values = fields.list(key, count, count);
  for (size_t c = 0; c < count; ++c) {
    if (!values[c].is_number()) fields.fail("\"", key, "\" holds what is no number");
    out[c] = values[c].get<float>();
  }
  return out;
}

Weights weights_from(const Json& json, const std::string& where, Expected& expected) {
  const Fields fields(json, where + ": weight", {"shape", "bits", "halves", "levels"});
  const auto shape = fields.wholes("shape", 4, 4);
  for (const int64_t size : shape) {
    if (size < 1 || size > (1 << 20)) fields.fail("shape: size ", size, ", expected 1 to ", 1 << 20);
  }
  expected.levels = fields.whole_or("levels", 0);
  if (expected.levels < 0) fields.fail("\"levels\" is negative");
  return {.out = shape[0],
          .kernel_h = shape[1],
          .kernel_w = shape[2],
          .in = shape[3],
          .bits = static_cast<int>(fields.whole("bits")),
          .halves = static_cast<int>(fields.whole_or("halves", 0))};
}

InputCodes codes_from(const Json& json, const std::string& where, Expected& expected) {
  const Fields fields(json, where + ": codes", {"bits", "low", "high", "offset", "thresholds", "levels"});
  expected.offset = fields.flag("offset");
  expected.thresholds = fields.flag("thresholds");
  expected.input_levels = fields.flag("levels");
  InputCodes codes{.bits = static_cast<int>(fields.whole("bits")),
                   .low = static_cast<int>(fields.whole("low")),
                   .high = static_cast<int>(fields.whole("high"))};
  if (!codes.present()) fields.fail("codes of 32 bits, expected none at all");
  return codes;
}

Node node_from(const Json& json, size_t index, const std::string& name, Expected& expected) {
  const std::string where = concat(printable(name), ": node ", index);
  const Fields fields(json, where,
                      {"op", "name", "inputs", "relu", "kernel", "stride", "pad", "extra", "weight", "codes"});
  const std::string op = fields.text("op");
  const auto kind = std::find_if(std::begin(kOps), std::end(kOps), [&](Op o) { return op == op_name(o); });
  if (kind == std::end(kOps)) fields.fail("unknown kind ", in_quotes(op), "; a newer ntq may know it");
  Node node{.op = *kind, .name = fields.text("name")};
  for (const int64_t from : fields.wholes("inputs", 1, 2)) node.inputs.push_back(static_cast<int>(from));
  node.relu = fields.flag("relu");
  node.kernel = fields.whole_or("kernel", 1);
  node.stride = fields.whole_or("stride", 1);
  node.pad = fields.whole_or("pad", 0);
  node.extra = fields.whole_or("extra", 0);
  const std::string named = concat(where, " (", in_quotes(node.name), ")");
  if (node.has_weights() != fields.has("weight"))
    fields.fail(op, node.has_weights() ? " without" : " with", " weights");
  if (node.has_weights()) node.weights = weights_from(fields.at("weight"), named, expected);
  if (node.op == Op::quantize && !fields.has("codes")) fields.fail(op, " without codes");
  if (fields.has("codes")) {
    if (!node.may_quantize()) fields.fail(op, " with codes");
    node.codes = codes_from(fields.at("codes"), named, expected);
  }
  return node;
}

/// What a text may hold, looked at before a tree is made of it: the tree's objects are lists, where many keys would
/// take a time of their square, and its parser takes such a time for lists of objects where it is asked at each of
/// them.
class Limits : public nlohmann::json_sax<Json> {
 public:
  explicit Limits(const std::string& name) : name_(name) {}
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(size_t) override { return open(); }
  bool end_object() override { return close(); }
  bool start_array(size_t) override { return open(); }
  bool end_array() override { return close(); }
  bool key(string_t& text) override {
    auto& keys = keys_[depth_ - 1];
    if (keys.size() == kMostKeys) refuse("has an object of more than ", kMostKeys, " keys");
    if (std::find(keys.begin(), keys.end(), text) != keys.end()) refuse("has ", in_quotes(text), " twice");
    keys.push_back(text);
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override {
    refuse("is no valid JSON");
  }

 private:
  template <class... Args>
  [[noreturn]] void refuse(const Args&... why) const {
    throw CheckpointError(concat(printable(name_), ": the graph ", why...));
  }
  bool open() {
    if (depth_ == kDepth) refuse("is nested too deep");
    keys_[depth_++].clear();
    return true;
  }
  bool close() {
    --depth_;
    return true;
  }

  const std::string& name_;
  size_t depth_ = 0;
  std::array<std::vector<std::string>, kDepth> keys_;  // of the objects that are open
};

Json parse_text(const std::string& text, const std::string& name) {
  Limits limits(name);
  Json::sax_parse(text, &limits);
  return Json::parse(text);
}

}  // namespace

std::string graph_to_json(const Graph& graph) {
  const MapShape& s = graph.image;
  const Preprocessing& p = graph.preprocessing;
  Json out = {{"image", {s.height, s.width, s.channels}},
              {"mean", channels_of(p.mean, s.channels)},
              {"std", channels_of(p.deviation, s.channels)},
              {"crop", p.crop}};
  if (p.fast_decode) out["fast_decode"] = true;
  if (!graph.classes.empty()) out["classes"] = graph.classes;
  out["nodes"] = Json::array();
  for (const Node& node : graph.nodes) out["nodes"].push_back(json_of(node));
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

ParsedGraph graph_from_json(const std::string& text, const std::string& name) {
  const Json json = parse_text(text, name);
  const Fields fields(json, concat(printable(name), ": graph"),
                      {"image", "mean", "std", "crop", "fast_decode", "classes", "nodes"});
  const auto image = fields.wholes("image", 3, 3);
  ParsedGraph out;
  out.graph.image = {image[0], image[1], image[2]};
  out.graph.preprocessing = {.mean = channels_from(fields, "mean", image[2], 0),
                             .deviation = channels_from(fields, "std", image[2], 1),
                             .crop = fields.text("crop"),
                             .fast_decode = fields.flag("fast_decode")};
  if (fields.has("classes")) {
    for (const Json& label : fields.list("classes", 1, 1 << 20)) {
      if (!label.is_string()) fields.fail("a class name is no text");
      out.graph.classes.push_back(label.get<std::string>());
    }
  }
  for (const Json& node : fields.list("nodes", 1, kMostNodes)) {
    out.expected.emplace_back();
    out.graph.nodes.push_back(node_from(node, out.graph.nodes.size(), name, out.expected.back()));
  }
  return out;
}

}  // namespace ntq::infer
