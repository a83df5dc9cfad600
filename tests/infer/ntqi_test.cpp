// .ntqi files: what is written is read again, always as the same bytes.
#include "infer/ntqi.h"

#include <doctest/doctest.h>

#include "base/check.h"
#include "base/safetensors.h"
#include "infer/model.h"
#include "tests/infer/graphs.h"
#include "tests/support/files.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::infer;
using namespace ntq::test;

namespace {

bool same(const InputCodes& a, const InputCodes& b) {
  return a.bits == b.bits && a.low == b.low && a.high == b.high && a.offset == b.offset &&
         a.thresholds == b.thresholds && a.levels == b.levels && (a.step == b.step || !a.thresholds.empty());
}

bool same(const Weights& a, const Weights& b) {
  return a.out == b.out && a.kernel_h == b.kernel_h && a.kernel_w == b.kernel_w && a.in == b.in && a.bits == b.bits &&
         a.halves == b.halves && a.codes == b.codes && a.levels == b.levels && a.values == b.values;
}

bool same(const Node& a, const Node& b) {
  return a.op == b.op && a.name == b.name && a.inputs == b.inputs && a.relu == b.relu && a.kernel == b.kernel &&
         a.stride == b.stride && a.pad == b.pad && a.extra == b.extra && same(a.weights, b.weights) &&
         same(a.codes, b.codes) && a.scale == b.scale && a.bias == b.bias && a.offset_scale == b.offset_scale;
}

void check_same(const Graph& a, const Graph& b) {
  CHECK(a.image == b.image);
  CHECK(a.preprocessing.mean == b.preprocessing.mean);
  CHECK(a.preprocessing.deviation == b.preprocessing.deviation);
  CHECK(a.preprocessing.crop == b.preprocessing.crop);
  CHECK(a.preprocessing.fast_decode == b.preprocessing.fast_decode);
  CHECK(a.classes == b.classes);
  CHECK(a.notes == b.notes);
  REQUIRE(a.nodes.size() == b.nodes.size());
  for (size_t i = 0; i < a.nodes.size(); ++i) {
    CAPTURE(a.nodes[i].name);
    CHECK(same(a.nodes[i], b.nodes[i]));
  }
}

}  // namespace

TEST_CASE("ntqi: graphs of every kind come back as they were, from files and from memory") {
  const TempFolder folder;
  Graph odd = mixed_graph();
  odd.preprocessing.fast_decode = true;
  odd.classes = {"\"quoted\"", "\u00fcml\u00e4ut", "", "d", "line\nbreak"};
  for (const Graph& graph : {residual_graph(), residual_graph({.weight_bits = 2}), mixed_graph(), skip_graph(), odd}) {
    const std::string path = folder / "a.ntqi";
    write_ntqi(path, graph);
    check_same(read_ntqi(path), graph);
    check_same(parse_ntqi(read_file(path), "memory"), graph);
    CHECK(is_ntqi(path));
    const std::string first = read_file(path);
    write_ntqi(path, read_ntqi(path));
    CHECK(read_file(path) == first);
  }
}

TEST_CASE("ntqi: codes of every width are packed as one stream of bits") {
  CHECK(pack_codes({1, -1, 2, -2, 3}, 4) == std::vector<uint8_t>{0xf1, 0xe2, 0x03});
  CHECK(pack_codes({1, -1, 0, -2, 1}, 2) == std::vector<uint8_t>{0b10001101, 0b01});
  CHECK(pack_codes({3, -4, 1}, 3) == std::vector<uint8_t>{0b01100011, 0b0});
  for (int bits = 2; bits <= 8; ++bits) {
    const int half = 1 << (bits - 1);
    for (const int64_t count : {0, 1, 7, 8, 9, 31, 32, 33, 63, 64, 65, 127, 1000}) {
      CAPTURE(bits);
      CAPTURE(count);
      std::vector<int8_t> codes;
      for (int64_t i = 0; i < count; ++i) codes.push_back(static_cast<int8_t>((i * 7 + i / 3) % (2 * half) - half));
      const auto packed = pack_codes(codes, bits);
      CHECK(static_cast<int64_t>(packed.size()) == (count * bits + 7) / 8);
      CHECK(unpack_codes(packed.data(), count, bits) == codes);
    }
  }
}

TEST_CASE("ntqi: the format is the oldest that can say the graph") {
  const TempFolder folder;
  const auto format_of = [&](const Graph& graph) {
    write_ntqi(folder / "a", graph);
    return safetensors::Reader(folder / "a").header().metadata.at("ntqi.format");
  };
  CHECK(format_of(residual_graph()) == "1");
  CHECK(format_of(residual_graph({.halves = 1})) == "2");
}

TEST_CASE("ntqi: weights take the bits that they have") {
  const TempFolder folder;
  const auto size_at = [&](int bits) {
    write_ntqi(folder / "a", residual_graph({.width = 64, .weight_bits = bits}));
    return std::filesystem::file_size(folder.path() / "a");
  };
  const auto weights = 8 * (size_at(8) - size_at(7));  // in bytes at 8 bits
  CHECK(size_at(4) < size_at(8) - weights / 2 + 200);
  CHECK(size_at(2) < size_at(8) - weights * 3 / 4 + 200);
}

TEST_CASE("ntqi: other files are told apart") {
  const TempFolder folder;
  safetensors::write(folder / "other", {{{"a", "b"}}, {}}, [](size_t) { return nullptr; });
  CHECK_FALSE(is_ntqi(folder / "other"));
  CHECK_FALSE(is_ntqi(folder / "missing"));
  CHECK(contains(one_line_of<CheckpointError>([&] { read_ntqi(folder / "other"); }), "no .ntqi"));
  CHECK(contains(one_line_of<CheckpointError>([&] { Model::load(folder / "missing"); }), folder / "missing"));
}

TEST_CASE("ntqi: a graph that cannot be run is not written") {
  const TempFolder folder;
  Graph graph = residual_graph();
  graph.nodes[0].codes.step = 0;
  CHECK(contains(one_line_of<CheckpointError>([&] { write_ntqi(folder / "a", graph); }), "node \"conv1\": step 0"));
  CHECK(folder.entries() == 0);
}
