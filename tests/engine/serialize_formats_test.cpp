// Files of other kinds are called what they are; types without arithmetic are listed, not refused.
#include <sys/stat.h>

#include "engine/serialize/other_formats.h"
#include "engine/serialize/safetensors_header.h"
#include "tests/engine/serialize_files.h"

using namespace ntq;
using namespace ntq::test;
using namespace std::string_literals;

namespace {

std::string error_of(const std::string& bytes, const std::string& name = "w.pth") {
  const std::string from_all = checkpoint_error([&] { parse_tensors(bytes, name); });
  CHECK(checkpoint_error([&] { parse_header(bytes, name); }) == from_all);
  return from_all;
}

std::string entry(const std::string& dtype, const std::string& shape, size_t begin, size_t end) {
  return concat("{\"dtype\":\"", dtype, "\",\"shape\":", shape, ",\"data_offsets\":[", begin, ",", end, "]}");
}

}  // namespace

TEST_CASE("other kinds of files are named, by what they begin with") {
  const std::string zip = "PK\x03\x04\0\0\x08\x08\0\0"s + std::string(20, '\0');
  const std::string torch = error_of(zip + "archive/data.pkl" + std::string(100, 'x'));
  CHECK(contains(torch, "w.pth: is a PyTorch file"));
  CHECK(contains(torch, "scripts/convert-weights w.pth w.safetensors"));
  CHECK_FALSE(contains(torch, "damaged"));
  CHECK(contains(error_of(zip + "resnet18/data.pkl", "a/timm.pth.tar"), "a/timm.pth.tar a/timm.safetensors"));
  CHECK(contains(error_of(zip + "arr_0.npy"), "is a NumPy archive"));
  CHECK(contains(error_of("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M"s), "Python pickle"));
  CHECK(contains(error_of("\x80\x04\x95\x10\0\0\0\0\0\0\0}\x94."s, "pytorch_model.bin"), "scripts/convert-weights"));
  CHECK(contains(error_of("\x89HDF\r\n\x1a\n"s + std::string(20, '\0')), "HDF5"));
  CHECK(contains(error_of("\x93NUMPY\x01\0v\0"s), "NumPy array"));
  CHECK(contains(error_of("\x08\x07\x12\x07pytorch\x1a\x05"s), "ONNX"));
  CHECK(contains(error_of("GGUF\x03\0\0\0\0\0\0\0"s), "GGUF"));
  CHECK(contains(error_of("\x1f\x8b\x08\0\0\0\0\0\0\x03xx"s), "compressed"));
  CHECK(contains(error_of("<!DOCTYPE html><html>"), "web page"));
  CHECK(contains(error_of("version https://git-lfs.github.com/spec/v1\noid"), "git lfs pull"));
  const std::string shards = error_of("{\n \"metadata\": {}, \"weight_map\": {}}", "m/model.safetensors.index.json");
  CHECK(contains(shards, "list of shards"));
  CHECK(contains(shards, "scripts/convert-weights m/model.safetensors.index.json m/model-joined.safetensors"));
  CHECK(contains(error_of("{\"lr\": 0.1, \"bits\": 4}"), "is JSON text"));
}

TEST_CASE("other kinds: a damaged file of ours is not taken for one") {
  const Folder folder;
  save_tensors(folder / "a", small_file());
  const std::string bytes = read_bytes(folder / "a");
  for (size_t length = 0; length < bytes.size(); length += 3) {
    CHECK(contains(error_of(bytes.substr(0, length)), "damaged or no safetensors file"));
  }
  for (const unsigned length : {0x0280U, 0x0480U, 0x7bU, 0x8b1fU}) {  // header lengths that look like a beginning
    std::string cut = raw_file("{\"a\":" + std::string(20, ' '), 0);
    std::memcpy(cut.data(), &length, 4);
    CAPTURE(length);
    if (length != 0x8b1fU) CHECK(contains(error_of(cut), "damaged or no safetensors file"));
  }
}

TEST_CASE("types and shapes without a tensor of ours are listed and passed over") {
  const std::string types[] = {"BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0"};
  std::string header = "{\"first\":" + entry("F32", "[1]", 0, 4);
  size_t at = 4;
  for (const auto& type : types) {
    header += ",\"" + type + "\":" + entry(type, "[2]", at, at + 2);
    at += 2;
  }
  const std::pair<const char*, size_t> wide[] = {{"I16", 2}, {"U16", 2}, {"U32", 4}, {"U64", 8}, {"C64", 8}};
  for (const auto& [type, bytes] : wide) {
    header += concat(",\"", type, "\":", entry(type, "[]", at, at + bytes));
    at += bytes;
  }
  header += ",\"F4\":" + entry("F4", "[3,2]", at, at + 3) + ",\"F6\":" + entry("F6_E2M3", "[4]", at + 3, at + 6);
  header += ",\"seven\":" + entry("F32", "[1,1,1,1,1,1,1]", at + 6, at + 10);
  header += ",\"last\":" + entry("F32", "[1]", at + 10, at + 14) + "}";
  std::string bytes = raw_file(header, at + 14);
  const float value = 2.5f;
  std::memcpy(bytes.data() + bytes.size() - 4, &value, 4);

  const Folder folder;
  std::ofstream(folder / "a", std::ios::binary) << bytes;
  for (const TensorFile& file : {parse_tensors(bytes, "a"), load_tensors(folder / "a")}) {
    REQUIRE(file.tensors.size() == 2);
    CHECK(file.at("last").item() == 2.5f);
    REQUIRE(file.skipped.size() == 12);
    CHECK(file.skipped[0].name == "BOOL");
    CHECK(file.skipped[0].dtype == "BOOL");
    CHECK(file.skipped[11].shape() == "{1,1,1,1,1,1,1}");
    CHECK(contains(checkpoint_error([&] { (void)file.at("C64"); }), "C64 {}, which cannot be read"));
  }
  CHECK(load_header(folder / "a").entries.size() == 14);
}

TEST_CASE("types without arithmetic: sizes are held against the bytes") {
  for (const auto& [type, shape, bytes] : {std::tuple{"BOOL", "[2]", 1},
                                           {"U16", "[2]", 2},
                                           {"F4", "[3]", 2},
                                           {"F6_E3M2", "[2]", 3},
                                           {"C64", "[2]", 8},
                                           {"F4", "[4611686018427387904]", 1}}) {
    const std::string dtype = type;
    CAPTURE(dtype);
    const auto size = static_cast<size_t>(bytes);
    CHECK(contains(error_of(raw_file(concat("{\"a\":", entry(type, shape, 0, size), "}"), size)), "does not hold"));
  }
}

TEST_CASE("checksums cover what is passed over") {
  safetensors::Header header;
  safetensors::Entry& flags = header.entries.emplace_back();
  flags.name = "flags", flags.dtype = "BOOL", flags.sizes = {3}, flags.end = 3;
  header.metadata[safetensors::kChecksums] = safetensors::checksum_table(header, {safetensors::checksum("\1\0\1", 3)});
  std::string bytes = raw_file(safetensors::format_header(header), 3);
  CHECK(contains(checkpoint_error([&] { parse_tensors(bytes, ""); }), "tensor \"flags\" has checksum"));
  bytes.replace(bytes.size() - 3, 3, "\1\0\1", 3);
  CHECK(parse_tensors(bytes, "").skipped.size() == 1);
}

TEST_CASE("load_header: names, types and shapes in the order of the text, and no values") {
  const Folder folder;
  save_tensors(folder / "a", small_file());
  const TensorHeader header = load_header(folder / "a");
  CHECK(header.metadata == small_file().metadata);
  REQUIRE(header.entries.size() == 5);
  CHECK(header.entries[0].name == "codes");
  CHECK(header.entries[0].dtype == "U8");
  CHECK(header.entries[1].sizes == std::vector<int64_t>{2, 2});
  CHECK(header.entries[4].shape() == "{0,3}");
  CHECK(header.entries[4].readable());
  CHECK(contains(checkpoint_error([&] { load_header(folder / "no"); }), "No such file"));
}

TEST_CASE("only regular files are read, without waiting for anybody") {
  const Folder folder;
  const std::string pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  for (const auto& path : {pipe, folder.str(), "/dev/zero"s, "/dev/null"s}) {
    CHECK(contains(checkpoint_error([&] { load_tensors(path); }), "not a regular file"));
    CHECK(contains(checkpoint_error([&] { load_header(path); }), "not a regular file"));
    CHECK(contains(checkpoint_error([&] { read_text_file(path); }), "not a regular file"));
  }
}

TEST_CASE("read_text_file: all of it, or an error") {
  const Folder folder;
  const std::string text(200'000, 'x');
  std::ofstream(folder / "a") << text;
  CHECK(read_text_file(folder / "a") == text);
  CHECK(read_text_file(folder / "a", 200'000) == text);
  CHECK(contains(checkpoint_error([&] { read_text_file(folder / "a", 199'999); }), "at most 199999 bytes"));
  CHECK(contains(checkpoint_error([&] { read_text_file(folder / "b"); }), "No such file"));
}
