// Whatever stands in a file, reading it ends in its content or in a CheckpointError of one line.
#include "tests/base/safetensors_contents.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;

namespace {

void read_path(const std::string& path) {
  safetensors::Reader reader(path);
  read_all(reader);
}

std::string parse_error(const std::string& bytes) {
  return one_line_of<CheckpointError>([&] { contents_of(bytes, "run/last.bin"); });
}

/// Error for a file with this header before `data_bytes` zeros.
std::string header_error(const std::string& header, size_t data_bytes = 8) {
  const std::string error = parse_error(raw_file(header, data_bytes));
  CHECK(contains(error, "run/last.bin: "));
  return error;
}

std::string damaged_entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return "{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

std::string entry_error(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return header_error("{\"a\":" + damaged_entry(dtype, shape, offsets) + "}");
}

}  // namespace

TEST_CASE("damage: every truncation is refused, from memory and from a file") {
  const TempFolder folder;
  const std::string bytes = small_file_bytes();
  for (size_t length = 0; length < bytes.size(); ++length) {
    CAPTURE(length);
    CHECK_FALSE(parse_error(bytes.substr(0, length)).empty());
    write_file(folder / "cut", bytes.substr(0, length));
    CHECK(contains(one_line_of<CheckpointError>([&] { read_path(folder / "cut"); }), folder / "cut"));
  }
  CHECK(contains(parse_error(bytes + '\0'), "the tensors end at byte"));
}

TEST_CASE("damage: a flipped bit is refused or changes nothing") {
  const std::string bytes = small_file_bytes();
  const Contents contents = small_contents();
  const size_t key = bytes.find("ntq.crc32"), key_end = key + std::string("ntq.crc32").size();
  size_t accepted = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      CAPTURE(i);
      CAPTURE(bit);
      std::string flipped = bytes;
      flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
      if (!parse_error(flipped).empty()) continue;
      ++accepted;
      // Under another name the checksums are plain metadata.
      if (i < key || i >= key_end) CHECK(same_contents(contents_of(flipped), contents));
    }
  }
  CHECK(accepted < 100);
}

TEST_CASE("damage: every byte of a file without checksums can take any of many values") {
  std::string bytes = raw_file(R"({"__metadata__":{"k":"v"},"a":)" + damaged_entry("\"F32\"", "[2]", "[0,8]") + "}", 8);
  REQUIRE(parse_error(bytes).empty());
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(value);
      CHECK_NOTHROW((void)parse_error(changed));  // anything but a CheckpointError would pass through
    }
  }
}

TEST_CASE("damage: each data byte is under a checksum, and the tensor is named") {
  const std::string bytes = small_file_bytes();
  for (size_t i = bytes.size() - 31; i < bytes.size(); ++i) {  // 8 + 16 + 4 + 3 bytes of values
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    CHECK(contains(parse_error(changed), "has checksum"));
  }
  std::string last = bytes;
  last.back() = 0;
  CHECK(contains(parse_error(last), "tensor \"codes\" has checksum"));
  std::string shape = bytes;
  shape.replace(shape.find("\"epoch\":\"3\""), 11, "\"epoch\":\"4\"");
  CHECK(contains(parse_error(shape), "names, shapes and metadata have checksum"));
}

TEST_CASE("damage: checksums of other tensors, or none at all") {
  const auto with_table = [](const std::string& table) {
    return header_error("{\"__metadata__\":{\"ntq.crc32\":\"" + table +
                        "\"},\"a\":" + damaged_entry("\"I64\"", "[]", "[0,8]") + "}");
  };
  CHECK(contains(with_table("x"), "no JSON object"));
  CHECK(contains(with_table("[1]"), "no JSON object"));
  CHECK(contains(with_table("{}"), "no checksum of \"__metadata__\""));
  CHECK(contains(with_table("{\\\"__metadata__\\\":7}"), "expected \"?\""));
}

TEST_CASE("damage: the length of the header") {
  std::string bytes = raw_file("{}", 0);
  CHECK(parse_error(bytes).empty());
  for (const uint64_t claim :
       {uint64_t{0}, uint64_t{1}, uint64_t{3}, uint64_t{100'000'001}, uint64_t{1} << 40, ~uint64_t{0}, ~uint64_t{7}}) {
    std::memcpy(bytes.data(), &claim, sizeof claim);
    CHECK(contains(parse_error(bytes), concat("claims ", claim, " bytes")));
  }
}

TEST_CASE("damage: what is no header") {
  CHECK(contains(header_error("[]"), "start with '{'"));
  CHECK(contains(header_error(" {}"), "start with '{'"));
  CHECK(contains(header_error("\xef\xbb\xbf{}"), "start with '{'"));
  CHECK(contains(header_error("{\"a\":"), "no valid JSON"));
  CHECK(contains(header_error("{} {}"), "no valid JSON"));
  CHECK(contains(header_error("{\"\xff\":1}"), "no valid JSON"));
  CHECK(contains(header_error("{\"a\":1}"), "an object for each tensor, found the number 1"));
  CHECK(contains(header_error("{\"a\":null}"), "found null"));
  CHECK(contains(header_error("{\"a\":\"b\"}"), "found the string \"b\""));
  CHECK(contains(header_error("{\"a\":[]}"), "found a list"));
  CHECK(contains(header_error("{\"a\n\":1}"), "no valid JSON"));
  CHECK(contains(header_error("{\"a\\n\":{\"b\":1}}"), "\"a\\n\""));  // no line breaks in messages
  const std::string deep(1'000'000, '[');
  CHECK(contains(header_error("{\"a\":" + deep), "found a list"));
  std::string nested;
  for (int i = 0; i < 100'000; ++i) nested += "{\"dtype\":";
  CHECK(contains(header_error("{\"a\":" + nested), "found an object"));
}

TEST_CASE("damage: metadata") {
  CHECK(contains(header_error("{\"__metadata__\":1}"), "found the number 1"));
  CHECK(contains(header_error("{\"__metadata__\":{\"k\":1}}"), "a string for each key, found the number 1"));
  CHECK(contains(header_error("{\"__metadata__\":{\"k\":true}}"), "found a truth value"));
  CHECK(contains(header_error("{\"__metadata__\":{\"k\":{}}}"), "found an object"));
  CHECK(contains(header_error("{\"__metadata__\":{\"k\":[\"\"]}}"), "found a list"));
  CHECK(contains(header_error("{\"__metadata__\":{\"k\":\"\",\"k\":\"\"}}"), "\"k\" stands twice"));
  CHECK(contains(header_error("{\"__metadata__\":{},\"__metadata__\":{}}"), "stands twice"));
}

TEST_CASE("damage: entries") {
  const std::string good = "{\"a\":" + damaged_entry("\"F32\"", "[2]", "[0,8]") + "}";
  CHECK(parse_error(raw_file(good, 8)).empty());
  CHECK(contains(entry_error("\"F99\"", "[2]", "[0,8]"), "\"F99\", which is not one of F32"));
  CHECK(contains(entry_error("1", "[2]", "[0,8]"), "tensor \"a\": expected"));
  CHECK(contains(entry_error("\"F32\"", "2", "[0,8]"), "found the number 2"));
  CHECK(contains(entry_error("\"F32\"", "\"2\"", "[0,8]"), "found the string"));
  CHECK(contains(entry_error("\"F32\"", "[-2]", "[0,8]"), "found the number -2"));
  CHECK(contains(entry_error("\"F32\"", "[2.0]", "[0,8]"), "found the number \"2.0\""));
  CHECK(contains(entry_error("\"F32\"", "[[2]]", "[0,8]"), "found a list"));
  std::string axes = "[2";
  for (int i = 0; i < 64; ++i) axes += ",1";
  CHECK(contains(entry_error("\"F32\"", axes + "]", "[0,8]"), "more than 64 numbers"));
  CHECK(contains(entry_error("\"F32\"", "[9223372036854775808]", "[0,8]"), "impossible size"));
  CHECK(contains(entry_error("\"F32\"", "[99999999999999999999]", "[0,8]"), "found the number"));
  CHECK(contains(entry_error("\"F32\"", "[4294967296,4294967296]", "[0,8]"), "2^62"));
  CHECK(contains(entry_error("\"F64\"", "[4611686018427387904]", "[0,8]"), "does not hold F64"));
  CHECK(contains(entry_error("\"F32\"", "[2]", "[0]"), "two data_offsets"));
  CHECK(contains(entry_error("\"F32\"", "[2]", "[0,8,9]"), "more than 2 numbers"));
  CHECK(contains(entry_error("\"F32\"", "[2]", "[8,0]"), "lies outside of the 8 bytes"));
  CHECK(contains(entry_error("\"F32\"", "[2]", "[0,9]"), "lies outside of the 8 bytes"));
  CHECK(contains(entry_error("\"F32\"", "[2]", "[0,18446744073709551615]"), "lies outside"));
  CHECK(contains(entry_error("\"F32\"", "[3]", "[0,8]"), "does not hold F32 {3}"));
  CHECK(contains(entry_error("\"F32\"", "[1]", "[0,7]"), "does not hold F32 {1}"));
  CHECK(contains(entry_error("\"F32\"", "[1]", "[4,8]"), "leaves a hole"));
  CHECK(contains(entry_error("\"F32\"", "[1]", "[0,4]"), "end at byte 4 of 8"));
  CHECK(contains(header_error("{}"), "end at byte 0 of 8"));
  CHECK(contains(header_error("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}"), "needs dtype, shape"));
  CHECK(contains(header_error("{\"a\":{\"dtype\":\"F32\",\"colour\":[2]}}"), "unknown key \"colour\""));
  CHECK(contains(header_error("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}"), "\"dtype\" stands twice"));
  const std::string half = damaged_entry("\"F32\"", "[1]", "[0,4]"), rest = damaged_entry("\"F32\"", "[1]", "[4,8]");
  CHECK(contains(header_error("{\"a\":" + half + ",\"a\":" + rest + "}"), "\"a\" stands twice"));
  CHECK(contains(header_error("{\"a\":" + half + ",\"b\":" + half + "}"), "overlaps byte 4"));
  CHECK(parse_error(raw_file("{\"b\":" + rest + ",\"a\":" + half + "}", 8)).empty());  // any order in the header
}

TEST_CASE("damage: what is no file") {
  const TempFolder folder;
  CHECK(contains(one_line_of<CheckpointError>([&] { read_path(folder / "no"); }), "No such file"));
  CHECK(contains(one_line_of<CheckpointError>([&] { read_path(folder.str()); }), "not a regular file"));
  CHECK(contains(one_line_of<CheckpointError>([&] { read_path("/dev/zero"); }), "not a regular file"));
}
