// A checkpoint with one thing changed is read, or refused by a CheckpointError: no other exception, no crash.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "apps/checkpoint.h"
#include "apps/data_text.h"
#include "apps/json.h"
#include "base/check.h"
#include "tests/apps/tools.h"

using namespace ntq;
using namespace ntq::apps;
using ntq::test::TempFolder;

namespace {

const std::vector<std::string> kTexts = {"",
                                         "0",
                                         "-1",
                                         "1",
                                         "9223372036854775807",
                                         "9223372036854775808",
                                         "1e9",
                                         "{}",
                                         "[]",
                                         "null",
                                         "\"x\"",
                                         "0000000000000000",
                                         "nan",
                                         "-0",
                                         "[[",
                                         "\x1b[31m",
                                         "7ff0000000000000",
                                         "32",
                                         "\xfc"};
const std::vector<std::string> kValues = {"null",
                                          "[]",
                                          "{}",
                                          "true",
                                          "\"x\"",
                                          "\"\"",
                                          "0",
                                          "-1",
                                          "3",
                                          "1.5",
                                          "1e300",
                                          "9223372036854775808",
                                          "-9223372036854775808",
                                          "[[1]]",
                                          "-0.0",
                                          "\"lsq\""};

/// A trained step of a small quantized model, without checksums.
const TensorFile& whole() {
  static const TensorFile file = [] {
    TrainConfig c;
    c.dataset = "synthetic", c.model = "resnet20", c.bits = 4;
    c.limit_train = c.limit_val = 8, c.batch_size = 4, c.workers = 0, c.epochs = 2;
    Console quiet(true, false);
    Session s = make_session(resolve(c), open_data(resolve(c), quiet));
    s.train_loader->start(0);
    train_step(*s.model, *s.optimizer, *s.train_loader->next(), s.loss, 0.01f);
    const TempFolder folder;
    save_run(folder / "a.bin", s);
    return load_tensors(folder / "a.bin");
  }();
  return file;
}

int times_read = 0, times_refused = 0;

/// `build`: the model too, which takes most of the time.
void try_all(const TensorFile& file, bool build = true) {
  try {
    const RunCheckpoint checkpoint = read_run_checkpoint(file, "x.bin");
    describe_data(file.metadata, "x.bin");
    if (build) model_of(checkpoint, "x.bin", false);
    ++times_read;
  } catch (const CheckpointError& e) {
    CHECK(std::strlen(e.what()) < 1000);
    ++times_refused;
  }  // whatever else passes through and fails the test
}

TensorFile with_metadata(const std::string& key, const std::string& value) {
  TensorFile file = whole();
  file.metadata[key] = value;
  return file;
}

}  // namespace

TEST_CASE("checkpoint damage: every metadata entry with other texts, and without") {
  times_read = times_refused = 0;
  auto keys = whole().metadata;
  keys["ntq.data"] = keys["ntq.preprocessing"] = "";
  for (const auto& entry : keys) {
    const std::string& key = entry.first;
    CAPTURE(key);
    for (const auto& text : kTexts) try_all(with_metadata(key, text), key == "ntq.classes");
    TensorFile file = whole();
    file.metadata.erase(key);
    try_all(file, false);
  }
  for (const char* data :
       {R"({"train":{"images":8,"fingerprint":"crc32:1"},"classes":["a","b"]})", R"({"train":[]})",
        R"({"train":{"images":"x"}})", R"({"train":{}})", R"({"classes":[1]})", R"({"classes":"a"})"}) {
    try_all(with_metadata("ntq.data", data), false);
  }
  CHECK(times_read > 20);
  CHECK(times_refused > 100);
}

TEST_CASE("checkpoint damage: every option in it with values of other kinds") {
  times_read = times_refused = 0;
  const Json config = parse_json(whole().metadata.at("ntq.config"), "");
  for (const auto& entry : config.items()) {
    const std::string key = entry.key();
    CAPTURE(key);
    for (const auto& value : kValues) {
      if (key == "precision" && value.front() == '"') continue;  // another build may have it: a matter of the device
      Json changed = config;
      changed[key] = parse_json(value, "");
      const TensorFile file = with_metadata("ntq.config", dump_json(changed));
      CAPTURE(value);
      try {
        read_run_checkpoint(file, "x.bin");
        ++times_read;
      } catch (const CheckpointError&) {
        ++times_refused;
      }
    }
  }
  CHECK(times_read > 30);
  CHECK(times_refused > 300);
}

TEST_CASE("checkpoint damage: layers, bits and widths that no training had, in every command that reads it") {
  const TempFolder folder;
  const auto refused = [&](const char* key, const Json& value, const char* expected) {
    Json changed = parse_json(whole().metadata.at("ntq.config"), "");
    changed[key] = value;
    const std::string file = folder / "x.bin";
    save_tensors(file, with_metadata("ntq.config", dump_json(changed)));
    for (const std::string& command : {"ntq-info " + file, "ntq-export " + file + " " + folder / "out"}) {
      const auto outcome = test::run(command);
      CHECK(outcome.code == 4);
      CHECK_MESSAGE(outcome.err.find(file + ": " + expected) != std::string::npos, outcome.err);
      CHECK(test::lines_of(outcome.err) == 1);
    }
  };
  refused("bits_of", Json::object({{"layer1.0.conv9", "w4a4"}}),
          "--bits-of, --bits-file: resnet20 has no layer \"layer1.0.conv9\"; did you mean layer1.0.conv1?");
  refused("bits_of", Json::object({{"fc", "w9"}}), "--bits-of fc: expected bits 2 to 8");
  refused("method", "quant", "--method: expected one of ");
  refused("bits_before", "w4,w", "--bits-before: expected bits 2 to 8");
}

TEST_CASE("checkpoint damage: tensors that are missing, renamed, of another shape, type or value") {
  times_read = times_refused = 0;
  const size_t count = whole().tensors.size();
  for (size_t i = 0; i < count; i += 97) {
    CAPTURE(whole().tensors[i].first);
    TensorFile file = whole();
    file.tensors.erase(file.tensors.begin() + static_cast<std::ptrdiff_t>(i));
    try_all(file);
    file.skipped.push_back({whole().tensors[i].first, "BOOL", {1}});
    try_all(file);
    for (const Tensor& other : {Tensor::zeros({3}), Tensor::zeros({}), Tensor::zeros({1}, DType::i64),
                                Tensor::zeros({0}), Tensor::zeros({2, 2, 2, 2, 2, 2}), Tensor::full({1}, NAN)}) {
      file = whole();
      file.tensors[i].second = other;
      try_all(file);
    }
    file = whole();
    file.tensors[i].first = "x" + file.tensors[i].first;
    try_all(file);
    for (const char* name : {"", "conv1.weight", "optim.", "ema."}) {
      file.tensors[i].first = name;
      try_all(file);
    }
  }
  CHECK(times_refused > 20);
  for (const auto& entry : whole().tensors) {
    const std::string& name = entry.first;
    const bool step = name.ends_with("_quant.step") && name.rfind("optim.", 0) != 0;
    if (!step) continue;
    for (const float value : {0.0f, -1.0f, NAN, INFINITY, -INFINITY}) {
      TensorFile file = whole();
      for (auto& [other, changed] : file.tensors) {
        if (other == name) changed = Tensor::full({1}, value);
      }
      const int before = times_refused;
      try_all(file);
      CHECK_MESSAGE(times_refused == before + 1, name, " ", value);
    }
    break;  // one stands for all
  }
}

TEST_CASE("checkpoint damage: bytes of the header changed at random") {
  const TempFolder folder;
  save_tensors(folder / "a.bin", whole());
  std::string bytes = test::read_file(folder / "a.bin");
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  const std::string key = "ntq.crc32";  // under another name it guards nothing
  bytes.replace(bytes.find(key), key.size(), "ntq.crc99");
  const std::string letters = "{}[]\":,0123456789-eE\\u\x1b\xff ab";
  uint64_t random = 1;
  const auto below = [&](uint64_t n) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    return static_cast<size_t>((random >> 33) % n);
  };
  times_read = times_refused = 0;
  for (int i = 0; i < 100; ++i) {
    std::string changed = bytes;
    for (size_t edits = below(3) + 1; edits > 0; --edits) changed[8 + below(length)] = letters[below(letters.size())];
    try {
      try_all(parse_tensors(changed, "x.bin"));
    } catch (const CheckpointError&) {
      ++times_refused;
    }
  }
  CHECK(times_read > 0);
  CHECK(times_refused > 50);
}

TEST_CASE("checkpoint damage: values so large that outputs are no numbers give no accuracy") {
  const TempFolder folder;
  for (const char* name : {"bn1.weight", "layer3.2.bn2.bias"}) {
    TensorFile file = whole();
    bool found = false;
    for (auto& [other, changed] : file.tensors) {
      if (other != name) continue;
      changed = Tensor::full(changed.shape(), 3e38f);
      found = true;
    }
    REQUIRE(found);
    save_tensors(folder / "a.bin", file);
    const auto eval = ntq::test::run("ntq-eval --limit-val 8 --json " + folder / "a.bin");
    CHECK_MESSAGE(eval.code == 4, name, eval.out, eval.err);
    CHECK(eval.err.find("no accuracy") != std::string::npos);
    CHECK(parse_json(eval.out, "")["exit_code"] == 4);
  }
}
