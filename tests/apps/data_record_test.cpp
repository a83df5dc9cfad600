#include "apps/data_record.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "tests/support/text.h"

using namespace ntq::apps;
using ntq::test::contains;
using ntq::test::error_of;

namespace {

const DataRecord kData{{"cat", "dog"}, {8, "crc32:0000000a"}, {4, "crc32:0000000b"}};
const Preprocessing kPrepared{.mean = {.485f, .456f, .406f},
                              .deviation = {.229f, .224f, .225f},
                              .image_size = 224,
                              .crop = "field",
                              .stem = "imagenet",
                              .fast_decode = true};

ntq::Metadata recorded() {
  ntq::Metadata metadata;
  put_record(metadata, kData, kPrepared);
  return metadata;
}

}  // namespace

TEST_CASE("a data record comes back from the metadata as it was put there") {
  const ntq::Metadata metadata = recorded();
  CHECK(*data_record(metadata, "a.bin") == kData);
  const auto prepared = preprocessing_record(metadata, "a.bin");
  REQUIRE(prepared);
  CHECK(prepared->mean == kPrepared.mean);
  CHECK(prepared->deviation == kPrepared.deviation);
  CHECK(prepared->image_size == 224);
  CHECK(prepared->crop == "field");
  CHECK(prepared->stem == "imagenet");
  CHECK(prepared->channels == 3);
  CHECK(prepared->fast_decode);
  // Readable for others: decimals as they are written, names in order.
  CHECK(metadata.at("ntq.preprocessing") == R"({"mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225],"image_size":224,)"
                                            R"("crop":"field","stem":"imagenet","channels":3,"fast_decode":true})");
  CHECK(contains(metadata.at("ntq.data"), R"("classes":["cat","dog"])"));
}

TEST_CASE("a damaged record is a checkpoint's fault, a missing one is not") {
  CHECK_FALSE(data_record({}, "a.bin"));
  CHECK_FALSE(preprocessing_record({}, "a.bin"));
  for (const char* text : {"", "{", "[]", "{}", "null", R"({"classes": "cat"})", R"({"classes": [1]})",
                           R"({"classes": ["cat"], "train": 3, "val": 4})"}) {
    CHECK_THROWS_AS(data_record({{"ntq.data", text}}, "a.bin"), ntq::CheckpointError);
  }
  for (const auto& [part, damage] : {std::pair{"224", "-5"}, {"0.229", "0"}, {"0.485", "7"}, {"field", "x"}}) {
    std::string text = recorded().at("ntq.preprocessing");
    text.replace(text.find(part), std::string(part).size(), damage);
    CAPTURE(text);
    CHECK_THROWS_AS(preprocessing_record({{"ntq.preprocessing", text}}, "a.bin"), ntq::CheckpointError);
  }
  for (const char* text : {"", "{}", R"({"mean": [], "std": [1]})", R"({"mean": [1,2,3,4], "std": [1]})"}) {
    CHECK_THROWS_AS(preprocessing_record({{"ntq.preprocessing", text}}, "a.bin"), ntq::CheckpointError);
  }
}

TEST_CASE("the same data pass, others are refused unless that is meant") {
  CHECK(check_same_data(recorded(), "a.bin", kData, false).empty());
  CHECK(contains(check_same_data({}, "a.bin", kData, false), "could not be checked"));
  DataRecord other = kData;
  other.val.fingerprint = "crc32:0000000c";
  other.classes = {"cat", "emu"};
  const std::string error = error_of<ntq::CheckpointError>([&] { check_same_data(recorded(), "a.bin", other, false); });
  CHECK(contains(error, "a.bin: the run was trained on other data: class 1 is 'dog' there, 'emu' here"));
  CHECK(contains(error, "as many validation images, but not the same ones"));
  CHECK(contains(error, "--allow-data-change"));
  CHECK(contains(check_same_data(recorded(), "a.bin", other, true), "goes on with other data"));
}
