#include "apps/json.h"

#include <algorithm>
#include <unordered_set>

#include "base/check.h"
#include "base/printable.h"

namespace ntq::apps {
namespace {

/// "line 3, column 7, near "...""; `position` is one behind the last byte read.
std::string place(std::string_view text, size_t position) {
  constexpr size_t kNear = 20;
  const std::string_view read = text.substr(0, position > 0 ? position - 1 : 0);
  const auto line = std::count(read.begin(), read.end(), '\n') + 1;
  const size_t line_start = read.rfind('\n') == std::string_view::npos ? 0 : read.rfind('\n') + 1;
  size_t begin = read.size() - line_start > kNear ? read.size() - kNear : line_start;
  while (begin < read.size() && (static_cast<unsigned char>(text[begin]) & 0xc0U) == 0x80)
    ++begin;  // a whole character
  return concat("line ", line, ", column ", read.size() - line_start + 1, ", near ",
                in_quotes(text.substr(begin, read.size() + 2 * kNear - begin), 2 * kNear));
}

/// The parser's own reason without the text that it has read, which may be megabytes.
std::string reason(const std::string& what) {
  const auto begin = what.rfind("syntax error", 200);
  if (begin == std::string::npos) return what.find("overflow") != std::string::npos ? "a number is too large" : "";
  const auto dash = what.find(" - ", begin);
  if (dash == std::string::npos) return "";
  return printable(what.substr(dash + 3, what.find("; last read", dash) - dash - 3), 100);
}

/// Builds the tree; no recursion, so depth costs nothing before it is refused.
class Builder : public nlohmann::json_sax<Json> {
 public:
  Builder(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  Json take() { return std::move(root_); }

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { fail("binary data"); }
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    if (!keys_.back().insert(name).second) fail("key " + in_quotes(name) + " stands twice");
    key_ = std::move(name);
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    const std::string why = reason(error.what());
    fail(concat("not valid JSON: ", place(text_, position), why.empty() ? "" : ": ", why));
  }

 private:
  [[noreturn]] void fail(const std::string& message) const { throw JsonError(concat(where_, ": ", message)); }

  Json& add(Json value) {
    if (open_.empty()) return root_ = std::move(value);
    Json& parent = *open_.back();
    if (parent.is_array()) return parent.emplace_back(std::move(value));
    // The keys are known to differ: the object's own search would take the square of their number.
    auto& object = parent.get_ref<Json::object_t&>();
    object.emplace_back(std::move(key_), std::move(value));
    return object.back().second;
  }
  bool put(Json value) {
    add(std::move(value));
    return true;
  }
  bool open(Json value) {
    if (open_.size() == kJsonDepth) fail(concat("lists and objects are nested more than ", kJsonDepth, " deep"));
    open_.push_back(&add(std::move(value)));
    keys_.emplace_back();
    return true;
  }
  bool close() {
    open_.pop_back();
    keys_.pop_back();
    return true;
  }

  std::string_view text_;
  const std::string& where_;
  Json root_;
  std::vector<Json*> open_;  // each the last child of the one before, so that none moves
  std::vector<std::unordered_set<std::string>> keys_;
  std::string key_;
};

}  // namespace

Json parse_json(std::string_view text, const std::string& where) {
  Builder builder(text, where);
  Json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

Json parse_json_or_null(std::string_view text) {
  try {
    return parse_json(text, "");
  } catch (const JsonError&) {
    return {};
  }
}

std::string dump_json(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string brief(const Json& json) { return printable(dump_json(json), 60); }

}  // namespace ntq::apps
