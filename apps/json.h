#pragma once
// The one place where JSON text from files and metadata is read and written.
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

namespace ntq::apps {

using Json = nlohmann::ordered_json;

/// What parse_json() refuses; one short line that begins with `where`. The callers give it its exit code.
struct JsonError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// Deeper text is refused: trees are copied, printed and destroyed by recursion.
constexpr size_t kJsonDepth = 64;

/// Throws JsonError: no JSON, no UTF-8, a key twice in one object, deeper than kJsonDepth. `where` stands for the file.
Json parse_json(std::string_view text, const std::string& where);
/// The same, with nothing (a null) for what parse_json() refuses.
Json parse_json_or_null(std::string_view text);

/// json.dump(indent) that never throws: bytes that are no UTF-8 become U+FFFD.
std::string dump_json(const Json& json, int indent = -1);
/// A value for a message: one line, at most some 60 characters.
std::string brief(const Json& json);

}  // namespace ntq::apps
