// Text of unknown origin: what a terminal would obey is shown instead.
#include "base/printable.h"

#include <doctest/doctest.h>

using namespace ntq;

TEST_CASE("text is UTF-8 or it is not") {
  CHECK(ntq::is_utf8(""));
  CHECK(ntq::is_utf8("a\u00fc\U0001f600"));
  for (const char* text : {"\xfc", "a\xc3", "\xed\xa0\x80"}) CHECK_FALSE(ntq::is_utf8(text));
}

TEST_CASE("printable: plain text of any language stays as it is") {
  for (const char* text : {"", "conv1.weight", "\u00fcn\u00ef", "\u65e5\u672c", "\U0001f600", "C:\\x", "a b", "\"'"}) {
    CHECK(printable(text) == text);
  }
}

TEST_CASE("printable: what a terminal would obey, or what reorders text, is escaped") {
  CHECK(printable("\x1b[2Jred\r\nfake\t\x07") == "\\x1b[2Jred\\r\\nfake\\t\\x07");
  CHECK(printable(std::string_view("a\0b", 3)) == "a\\x00b");
  CHECK(printable("\x7f") == "\\x7f");
  CHECK(printable("\xc2\x9b"
                  "31m") == "\\u009b31m");  // C1: another way to begin an escape sequence
  CHECK(printable("\u202e\u2066\u200f\u2028") == "\\u202e\\u2066\\u200f\\u2028");
  CHECK(printable("\ufeff\U000e0041") == "\\ufeff\\U000e0041");
}

TEST_CASE("printable: bytes that are no UTF-8") {
  CHECK(printable("\xfc") == "\\xfc");
  CHECK(printable("\xc3") == "\\xc3");                             // the second byte is missing
  CHECK(printable("\xc0\xaf") == "\\xc0\\xaf");                    // overlong
  CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");           // a surrogate
  CHECK(printable("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
  CHECK(printable("\x9b"
                  "31m") ==
        "\\x9b"
        "31m");
  CHECK(printable("\xe2\x82\x41") ==
        "\\xe2\\x82"
        "A");
}

TEST_CASE("printable: twice is the same as once, whatever the bytes") {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; b += 5) {
      const std::string text = {static_cast<char>(a), static_cast<char>(b), 'x'};
      const std::string once = printable(text);
      REQUIRE(printable(once) == once);
      for (const char c : once) REQUIRE(static_cast<unsigned char>(c) >= 0x20);
    }
  }
}

TEST_CASE("printable: long text is cut between characters") {
  CHECK(printable("abcdef", 6) == "abcdef");
  CHECK(printable("abcdefg", 6) == "abcdef...");
  CHECK(printable("ab\u00fcd", 3) == "ab...");
  CHECK(printable("ab\u00fcd", 4) == "ab\u00fc...");
  CHECK(printable("\xff\xff\xff", 2) == "\\xff\\xff...");
  CHECK(in_quotes(std::string(79, 'a') + "\u00fc" + "b") == '"' + std::string(79, 'a') + "...\"");
  CHECK(in_quotes("\n") == "\"\\n\"");
}

TEST_CASE("printable_lines: line ends and tabs stay, the rest as above") {
  CHECK(printable_lines("a\tb\n\x1b[0m\r\n") == "a\tb\n\\x1b[0m\\r\n");
}
