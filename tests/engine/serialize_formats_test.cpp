// Types without arithmetic are listed, not refused; headers alone; only regular files.
#include <sys/stat.h>

#include "tests/engine/serialize_files.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;
using namespace std::string_literals;

TEST_CASE("types and shapes without a tensor of ours are listed and passed over") {
  const std::string types[] = {"BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0"};
  std::string header = "{\"first\":" + raw_entry("F32", "[1]", 0, 4);
  size_t at = 4;
  for (const auto& type : types) {
    header += ",\"" + type + "\":" + raw_entry(type, "[2]", at, at + 2);
    at += 2;
  }
  const std::pair<const char*, size_t> wide[] = {{"I16", 2}, {"U16", 2}, {"U32", 4}, {"U64", 8}, {"C64", 8}};
  for (const auto& [type, bytes] : wide) {
    header += concat(",\"", type, "\":", raw_entry(type, "[]", at, at + bytes));
    at += bytes;
  }
  header +=
      ",\"F4\":" + raw_entry("F4", "[3,2]", at, at + 3) + ",\"F6\":" + raw_entry("F6_E2M3", "[4]", at + 3, at + 6);
  header += ",\"seven\":" + raw_entry("F32", "[1,1,1,1,1,1,1]", at + 6, at + 10);
  header += ",\"last\":" + raw_entry("F32", "[1]", at + 10, at + 14) + "}";
  std::string bytes = raw_file(header, at + 14);
  const float value = 2.5f;
  std::memcpy(bytes.data() + bytes.size() - 4, &value, 4);

  const TempFolder folder;
  write_file(folder / "a", bytes);
  for (const TensorFile& file : {parse_tensors(bytes, "a"), load_tensors(folder / "a")}) {
    REQUIRE(file.tensors.size() == 2);
    CHECK(file.at("last").item() == 2.5f);
    REQUIRE(file.skipped.size() == 12);
    CHECK(file.skipped[0].name == "BOOL");
    CHECK(file.skipped[0].dtype == "BOOL");
    CHECK(file.skipped[11].shape() == "{1,1,1,1,1,1,1}");
    CHECK(contains(one_line_of<CheckpointError>([&] { (void)file.at("C64"); }), "C64 {}, which cannot be read"));
  }
  CHECK(load_header(folder / "a").entries.size() == 14);
}

TEST_CASE("load_header: names, types and shapes in the order of the text, and no values") {
  const TempFolder folder;
  save_tensors(folder / "a", small_file());
  const safetensors::Header header = load_header(folder / "a");
  CHECK(header.metadata == small_file().metadata);
  REQUIRE(header.entries.size() == 5);
  CHECK(header.entries[0].name == "codes");
  CHECK(header.entries[0].dtype == "U8");
  CHECK(header.entries[1].sizes == std::vector<int64_t>{2, 2});
  CHECK(header.entries[4].shape() == "{0,3}");
  CHECK(readable(header.entries[4]));
  CHECK(contains(one_line_of<CheckpointError>([&] { load_header(folder / "no"); }), "No such file"));
}

TEST_CASE("only regular files are read, without waiting for anybody") {
  const TempFolder folder;
  const std::string pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  for (const auto& path : {pipe, folder.str(), "/dev/zero"s, "/dev/null"s}) {
    CHECK(contains(one_line_of<CheckpointError>([&] { load_tensors(path); }), "not a regular file"));
    CHECK(contains(one_line_of<CheckpointError>([&] { load_header(path); }), "not a regular file"));
  }
}
