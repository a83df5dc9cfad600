// What is written comes back, and Python's files are read.
#include "engine/serialize.h"

#include <cstdlib>

#include "tests/engine/serialize_files.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;

TEST_CASE("save and load: names, order, types, shapes, bytes and metadata") {
  const TempFolder folder;
  const TensorFile file = small_file();
  save_tensors(folder / "a.bin", file);
  CHECK(same_file(load_tensors(folder / "a.bin"), file));
  CHECK(same_file(parse_tensors(read_file(folder / "a.bin"), "memory"), file));
  CHECK(folder.entries() == 1);  // no temporary file is left
}

TEST_CASE("save: an empty file and one without metadata") {
  const TempFolder folder;
  save_tensors(folder / "empty.bin", {});
  const TensorFile empty = load_tensors(folder / "empty.bin");
  CHECK(empty.tensors.empty());
  CHECK(empty.metadata.empty());
  save_tensors(folder / "plain.bin", {{}, {{"a", Tensor::full({1}, 2)}}});
  CHECK(load_tensors(folder / "plain.bin").metadata.empty());
}

TEST_CASE("save: the layout, byte by byte") {
  const TempFolder folder;
  save_tensors(folder / "a.bin",
               {{{"b", "2"}, {"a", "1"}}, {{"u", values<uint8_t>({1}, {7})}, {"f", Tensor::from({1}, {1.0f})}}});
  // By Python's zlib.crc32: of 00 00 80 3f, of 07, and of the text
  // {"metadata":{"a":"1","b":"2"},"tensors":{"f":["F32",[1]],"u":["U8",[1]]}}
  std::string header =
      R"({"__metadata__":{"a":"1","b":"2","ntq.crc32":"{\"__metadata__\":\"313dac13\",\"f\":\"aca16a6a\",\"u\":\"4c667a2e\"}"},)"
      R"("u":{"dtype":"U8","shape":[1],"data_offsets":[4,5]},"f":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  CHECK(read_file(folder / "a.bin") == raw_file(header, 0) + std::string("\x00\x00\x80\x3f\x07", 5));
}

TEST_CASE("save: the same content gives the same bytes") {
  const TempFolder folder;
  save_tensors(folder / "a.bin", small_file());
  save_tensors(folder / "b.bin", load_tensors(folder / "a.bin"));
  CHECK(read_file(folder / "a.bin") == read_file(folder / "b.bin"));
}

TEST_CASE("load: a file that Python wrote") {  // scripts/golden/make_safetensors.py
  const TensorFile file = load_tensors(NTQ_SOURCE_DIR "/tests/golden/python_safetensors.safetensors");
  CHECK(file.metadata == std::map<std::string, std::string>{{"format", "pt"}, {"note", "quotes \" and \u00fcmlauts"}});
  REQUIRE(file.tensors.size() == 6);
  const Tensor& weight = file.at("conv1.weight");
  CHECK(weight.shape() == Shape{2, 3});
  CHECK(weight.to_vector() == std::vector<float>{-.5f, -.25f, 0, .25f, .5f, .75f});
  CHECK(file.at("bn1.num_batches_tracked").shape() == Shape());
  CHECK(*file.at("bn1.num_batches_tracked").data<int64_t>() == int64_t{1} << 40);
  const Tensor& codes = file.at("codes");
  CHECK(codes.shape() == Shape{2, 2});
  CHECK(std::vector<uint8_t>(codes.data<uint8_t>(), codes.data<uint8_t>() + 4) == std::vector<uint8_t>{0, 1, 127, 255});
  CHECK(file.at("half").dtype() == DType::f16);
  const uint16_t half[] = {0x3c00, 0xc000, 0x7bff};
  CHECK(std::memcmp(file.at("half").raw(), half, sizeof half) == 0);
  CHECK(file.at("brain").dtype() == DType::bf16);
  const uint16_t brain[] = {0x3f80, 0xc000, 0x7f62};
  CHECK(std::memcmp(file.at("brain").raw(), brain, sizeof brain) == 0);
  CHECK(file.at("empty").shape() == Shape{0, 4});
}

// Python's package reads ours: scripts/golden/read_safetensors.py checks the file that this case leaves at the path in
// NTQ_WRITE_SAFETENSORS.
TEST_CASE("save: a file for Python") {
  const char* path = std::getenv("NTQ_WRITE_SAFETENSORS");
  if (path != nullptr) save_tensors(path, small_file());
}

TEST_CASE("at: names what is there") {
  const TensorFile file = small_file();
  CHECK(file.at("steps").dtype() == DType::i64);
  const std::string error = one_line_of<CheckpointError>([&] { (void)file.at("conv2.weight"); });
  CHECK(contains(error, "\"conv2.weight\""));
  CHECK(contains(error, "5: \"codes\", \"conv1.weight\""));
}

TEST_CASE("save: wrong calls are refused before anything is written") {
  const TempFolder folder;
  const Tensor one = Tensor::full({1}, 1);
  const auto refused = [&](const TensorFile& file) {
    CHECK_THROWS_AS(save_tensors(folder / "a.bin", file), std::invalid_argument);
  };
  refused({{}, {{"a", one}, {"a", one}}});
  refused({{}, {{"__metadata__", one}}});
  refused({{}, {{"a", Tensor()}}});
  refused({{}, {{"a\xff", one}}});
  refused({{{"key", "\xc3"}}, {{"a", one}}});
  refused({{{"key", std::string(100'000'000, 'x')}}, {}});
  CHECK(folder.entries() == 0);
}
