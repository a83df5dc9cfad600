// JSON text of files and metadata: what is refused, in words that fit on a line.
#include "apps/json.h"

#include <doctest/doctest.h>

#include "base/check.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::apps;
using ntq::test::contains;

namespace {

std::string json_refusal(const std::string& text) {
  const std::string what = ntq::test::one_line_of<JsonError>([&] { parse_json(text, "run.json"); });
  CHECK(what.size() < 400);
  if (!what.empty()) CHECK(contains(what, "run.json: "));
  return what;
}

std::string nested(size_t levels, const std::string& open, const std::string& close) {
  std::string text;
  for (size_t i = 0; i < levels; ++i) text += open;
  text += "1";
  for (size_t i = 0; i < levels; ++i) text += close;
  return text;
}

}  // namespace

TEST_CASE("json: values of every kind, in the order of the text") {
  const std::string text = R"({"z":[1,-2,0.5,true,null,"ü"],"a":{"b":[]},"big":18446744073709551615})";
  CHECK(parse_json(text, "").dump() == text);
  CHECK(parse_json(" 7 ", "").dump() == "7");
}

TEST_CASE("json: depth has an end, on the way in and on the way out") {
  for (const auto& [open, close] : {std::pair<std::string, std::string>{"[", "]"}, {"{\"a\":", "}"}}) {
    CHECK(json_refusal(nested(kJsonDepth, open, close)).empty());
    for (const size_t levels : {kJsonDepth + 1, size_t{100'000}, size_t{1'000'000}}) {
      CHECK(contains(json_refusal(nested(levels, open, close)), "nested more than 64 deep"));
    }
    CHECK(contains(json_refusal(nested(100'000, open, "")), "nested more than 64 deep"));
  }
}

TEST_CASE("json: a key twice is an error, in this object and not in another") {
  CHECK(contains(json_refusal(R"({"lr":1,"bits":2,"lr":3})"), "key \"lr\" stands twice"));
  CHECK(contains(json_refusal(R"([{"a":{"b":1,"b":1}}])"), "key \"b\" stands twice"));
  CHECK(contains(json_refusal(R"({"\u001b[31m":1,"\u001b[31m":2})"), "key \"\\x1b[31m\" stands twice"));
  CHECK(json_refusal(R"({"a":{"a":1},"b":{"a":1}})").empty());
}

TEST_CASE("json: many keys take no square of time") {
  std::string text = "{";
  for (int i = 0; i < 100'000; ++i) text += concat(i > 0 ? "," : "", "\"", i, "\":0");
  CHECK(parse_json(text + "}", "").size() == 100'000);
}

TEST_CASE("json: what is wrong, and where") {
  CHECK(contains(json_refusal("{\n  \"lr\": 0.1,\n  \"bits\": x\n}"), "line 3, column 11, near \"  \"bits\": x\\n}\""));
  CHECK(contains(json_refusal("{\"a\": 1,}"), "not valid JSON: line 1, column 9"));
  CHECK(contains(json_refusal(""), "not valid JSON"));
  CHECK(contains(json_refusal("{} {}"), "not valid JSON"));
  CHECK(contains(json_refusal("{\"a\":1e999}"), "a number is too large"));
  CHECK(contains(json_refusal("{\"a\":NaN}"), "not valid JSON"));
}

TEST_CASE("json: text that is no UTF-8 is refused, and quoted whole") {
  CHECK(contains(json_refusal("{\"\xfc\":1}"), "\\xfc"));
  CHECK(contains(json_refusal("\xfc"), "\\xfc"));
  for (const char* text : {"\u00fc", "{\"a\": \"b\", \u00fc}",
                           "{\"a\": \"\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\", x"}) {
    const std::string what = json_refusal(text);
    CHECK_FALSE(what.empty());
    CHECK_NOTHROW(Json(what).dump());  // still UTF-8
    CHECK_FALSE(contains(what, "\\xc3"));
    CHECK_FALSE(contains(what, "\\xbc"));
  }
}

TEST_CASE("json: an error holds no megabytes of what it complains of") {
  const std::string much(5'000'000, 'A');
  CHECK_FALSE(json_refusal("{\"a\":\"" + much).empty());
  CHECK_FALSE(json_refusal("{\"a\":" + std::string(5'000'000, '1') + "}").empty());
  CHECK_FALSE(json_refusal("{\"" + much + "\":1,\"" + much + "\":2}").empty());
  CHECK_FALSE(json_refusal(much).empty());
  CHECK(brief(Json(much)).size() < 80);
  CHECK(brief(Json("a\x1b[31m")) == "\"a\\u001b[31m\"");
}

TEST_CASE("json: writing never throws") {
  CHECK(dump_json(Json{{"file", "\xfc.bin"}}) == "{\"file\":\"\xef\xbf\xbd.bin\"}");
  CHECK(dump_json(Json{{"a", 1}}, 2) == "{\n  \"a\": 1\n}");
}
