// Files of other kinds are called what they are; types of every width are held against their bytes.
#include "base/safetensors/header.h"
#include "tests/base/safetensors_contents.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;
using namespace std::string_literals;

namespace {

std::string refusal(const std::string& bytes, const std::string& name = "w.pth") {
  const std::string from_all = one_line_of<CheckpointError>([&] { contents_of(bytes, name); });
  CHECK(one_line_of<CheckpointError>([&] { safetensors::Reader(bytes, name); }) == from_all);
  return from_all;
}

}  // namespace

TEST_CASE("other kinds of files are named, by what they begin with") {
  const std::string zip = "PK\x03\x04\0\0\x08\x08\0\0"s + std::string(20, '\0');
  const std::string torch = refusal(zip + "archive/data.pkl" + std::string(100, 'x'));
  CHECK(contains(torch, "w.pth: is a PyTorch file"));
  CHECK(contains(torch, "scripts/convert-weights w.pth w.safetensors"));
  CHECK_FALSE(contains(torch, "damaged"));
  CHECK(contains(refusal(zip + "resnet18/data.pkl", "a/timm.pth.tar"), "a/timm.pth.tar a/timm.safetensors"));
  CHECK(contains(refusal(zip + "arr_0.npy"), "is a NumPy archive"));
  CHECK(contains(refusal("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M"s), "Python pickle"));
  CHECK(contains(refusal("\x80\x04\x95\x10\0\0\0\0\0\0\0}\x94."s, "pytorch_model.bin"), "scripts/convert-weights"));
  CHECK(contains(refusal("\x89HDF\r\n\x1a\n"s + std::string(20, '\0')), "HDF5"));
  CHECK(contains(refusal("\x93NUMPY\x01\0v\0"s), "NumPy array"));
  CHECK(contains(refusal("\x08\x07\x12\x07pytorch\x1a\x05"s), "ONNX"));
  CHECK(contains(refusal("GGUF\x03\0\0\0\0\0\0\0"s), "GGUF"));
  CHECK(contains(refusal("\x1f\x8b\x08\0\0\0\0\0\0\x03xx"s), "compressed"));
  CHECK(contains(refusal("<!DOCTYPE html><html>"), "web page"));
  CHECK(contains(refusal("version https://git-lfs.github.com/spec/v1\noid"), "git lfs pull"));
  const std::string shards = refusal("{\n \"metadata\": {}, \"weight_map\": {}}", "m/model.safetensors.index.json");
  CHECK(contains(shards, "list of shards"));
  CHECK(contains(shards, "scripts/convert-weights m/model.safetensors.index.json m/model-joined.safetensors"));
  CHECK(contains(refusal("{\"lr\": 0.1, \"bits\": 4}"), "is JSON text"));
}

TEST_CASE("other kinds: a damaged file of ours is not taken for one") {
  const std::string bytes = small_file_bytes();
  for (size_t length = 0; length < bytes.size(); length += 3) {
    CHECK(contains(refusal(bytes.substr(0, length)), "damaged or no safetensors file"));
  }
  for (const unsigned length : {0x0280U, 0x0480U, 0x7bU, 0x8b1fU}) {  // header lengths that look like a beginning
    std::string cut = raw_file("{\"a\":" + std::string(20, ' '), 0);
    std::memcpy(cut.data(), &length, 4);
    CAPTURE(length);
    if (length != 0x8b1fU) CHECK(contains(refusal(cut), "damaged or no safetensors file"));
  }
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
    CHECK(contains(refusal(raw_file(concat("{\"a\":", raw_entry(type, shape, 0, size), "}"), size)), "does not hold"));
  }
}

TEST_CASE("checksums cover what is passed over") {
  const auto pass_over = [](const std::string& bytes) {
    safetensors::Reader reader(bytes, "");
    reader.read_values([](size_t) { return nullptr; });
  };
  safetensors::Header header;
  safetensors::Entry& flags = header.entries.emplace_back();
  flags.name = "flags", flags.dtype = "BOOL", flags.sizes = {3}, flags.end = 3;
  header.metadata[safetensors::kChecksums] = safetensors::checksum_table(header, {safetensors::checksum("\1\0\1", 3)});
  std::string bytes = raw_file(safetensors::format_header(header), 3);
  CHECK(contains(one_line_of<CheckpointError>([&] { pass_over(bytes); }), "tensor \"flags\" has checksum"));
  bytes.replace(bytes.size() - 3, 3, "\1\0\1", 3);
  CHECK_NOTHROW(pass_over(bytes));
  CHECK(contents_of(bytes).values[0] == std::string("\1\0\1", 3));
}
