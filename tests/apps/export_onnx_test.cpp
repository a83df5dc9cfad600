// ntq-export --format onnx: the options, what is refused, and that nothing is left behind then.
#include <doctest/doctest.h>

#include <filesystem>

#include "tests/apps/tools.h"
#include "tests/support/text.h"

namespace ntq::test {
namespace {

/// Of one training for all cases: W4A4, first and last layer 8 bits.
const std::string& trained_w4a4() {
  static const TempFolder folder;
  static const std::string checkpoint = [] {
    const Outcome trained = run("ntq-train" + kTiny + "--bits 4 --first-last-bits 8 --pretrain-epochs 0 --epochs 1 " +
                                "--no-start-eval --quiet --output " + folder.str());
    REQUIRE_MESSAGE(trained.code == 0, trained.err);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
      if (entry.path().filename() == "last.bin") return entry.path().string();
    }
    return std::string();
  }();
  return checkpoint;
}

Outcome exported(const std::string& file, const std::string& options) {
  return run("ntq-export " + trained_w4a4() + " " + file + " " + options);
}

bool can_write() {
  const TempFolder folder;
  return !contains(exported(folder / "a.onnx", "").err, "this build cannot write ONNX files");
}

TEST_CASE("ntq-export onnx: each dialect, by the option or as the file's name ends") {
  if (!can_write()) return;
  const TempFolder folder;
  const Outcome plain = exported(folder / "a.onnx", "");
  CHECK_MESSAGE(plain.code == 0, plain.err);
  CHECK(contains(plain.out, "20 layers in integers"));
  CHECK(contains(plain.out, "dialect plain"));
  const std::string bytes = read_file(folder / "a.onnx");
  CHECK(contains(bytes, "layer3.2.conv2/Conv"));
  CHECK(exported(folder / "b.bin", "--format onnx").code == 0);
  CHECK(read_file(folder / "b.bin") == bytes);
  CHECK(exported(folder / "exact.onnx", "--dialect exact").code == 0);
  CHECK(contains(read_file(folder / "exact.onnx"), "ConvInteger"));
  CHECK(exported(folder / "int4.onnx", "--weight-type int4").code == 0);
  CHECK(10 * read_file(folder / "int4.onnx").size() < 6 * bytes.size());
  const Outcome ort = exported(folder / "ort.onnx", "--dialect ort --calibrate 1 --limit-val 16 --json");
  CHECK_MESSAGE(ort.code == 0, ort.err);
  CHECK(contains(ort.err, "of 16 predictions"));
  CHECK(contains(ort.out, "\"images\":16"));
}

TEST_CASE("ntq-export onnx: a packed file gives what its checkpoint gives") {
  if (!can_write()) return;
  const TempFolder folder;
  const std::string packed = folder / "m.ntqi";
  REQUIRE(exported(packed, "").code == 0);
  for (const std::string options : {"", "--dialect exact", "--weight-type int4"}) {
    const Outcome out = run("ntq-export " + packed + " " + folder / "a.onnx --overwrite " + options);
    CHECK_MESSAGE(out.code == 0, out.err);
    CHECK(contains(out.out, "a.onnx: resnet20 as ONNX, dialect "));
    REQUIRE(exported(folder / "b.onnx", "--overwrite " + options).code == 0);
    CHECK(read_file(folder / "a.onnx") == read_file(folder / "b.onnx"));
  }
  const Outcome ort =
      run("ntq-export " + packed + " " + folder / "ort.onnx --dialect ort --calibrate 1 --limit-val 16");
  CHECK_MESSAGE(ort.code == 0, ort.err);
  CHECK(contains(ort.out, "of 16 predictions"));
}

TEST_CASE("ntq-export onnx: what has no form is one line, exit code 2, and no file") {
  const TempFolder folder;
  struct Refused {
    std::string options, says;
  };
  const std::vector<Refused> cases = {{"--dialect trt", "--bits-of fc=a7"},
                                      {"--dialect qlinear", "expected plain, exact, ort or trt"},
                                      {"--weight-type int3", "expected int8, int4 or int2"},
                                      {"--calibrate 2", "only with --dialect ort or trt"},
                                      {"--dialect ort --calibrate 0", "expected 1 or more"},
                                      {"--int8", "only of --format weights"},
                                      {"--format packed --dialect plain", "only of --format onnx"},
                                      {"--format ONNX", "expected weights, packed or onnx"}};
  const bool writes = can_write();
  for (const auto& refused : cases) {
    CAPTURE(refused.options);
    const Outcome out = exported(folder / "a.onnx", refused.options);
    CHECK(out.code == 2);
    CHECK(lines_of(out.err) == 1);
    CHECK((contains(out.err, refused.says) || (!writes && contains(out.err, "libonnx-dev"))));
    CHECK(folder.entries() == 0);
  }
  if (writes) return;
  const Outcome none = exported(folder / "a.onnx", "");
  CHECK(none.code == 2);
  CHECK(contains(none.err, "libonnx-dev and libprotobuf-dev"));
}

}  // namespace
}  // namespace ntq::test
