// The commands on folders of photographs: training from pretrained weights, resuming within an epoch, bad images,
// export.
#include <doctest/doctest.h>

#include <cmath>
#include <csignal>
#include <filesystem>

#include "engine/serialize.h"
#include "tests/apps/photos.h"
#include "tests/apps/tools.h"
#include "tests/support/text.h"
#include "tests/support/wait.h"
#include "train/weights.h"

using namespace ntq;
using namespace ntq::test;
namespace fs = std::filesystem;

namespace {

const std::string kFolderRun = " folder resnet18 --image-size 32 --batch-size 4 --threads 1 --workers 2 --epochs 1 ";

}  // namespace

TEST_CASE("from pretrained weights to 4 bits, and a stop within the epoch that changes nothing") {
  const TempFolder photos, runs, again;
  const std::string data = make_photos(photos, 8);
  REQUIRE(run("ntq-train" + kFolderRun + data + "--output " + runs.str()).code == 0);
  const std::string fp = runs / "folder-resnet18-fp/last.bin";

  // Out as others have it, and in again.
  const std::string file = runs / "fp.safetensors";
  REQUIRE(run("ntq-export " + fp + " " + file).code == 0);
  CHECK(run("ntq-export " + fp + " " + file).code == 2);
  CHECK(run("ntq-export " + fp + " " + file + " --overwrite").code == 0);
  const Outcome own = run("ntq-eval " + fp + data + "--json");
  const Outcome foreign = run("ntq-eval " + file + data +
                              "--dataset folder --model resnet18 --image-size 32 --json --logits " + runs / "l");
  REQUIRE_MESSAGE(foreign.code == 0, foreign.err);
  const auto loss = [](const Outcome& o) { return o.out.substr(o.out.find("\"loss\""), 24); };
  CHECK(loss(own) == loss(foreign));
  // What is given wins over the checkpoint's, even where it is the default of a new run.
  const std::string two = "ntq-eval " + fp + data + "--json --limit-val 2";
  CHECK_FALSE(loss(run(two + " --image-size 224")) == loss(run(two)));
  CHECK(load_tensors(runs / "l").at("logits").shape() == Shape{16, 2});

  const std::string quantized =
      "ntq-train" + kFolderRun + data + "--bits 4 --calibrate 2 --bn-recalibrate 2 --save-every 1 --init " + file;
  const Outcome whole = run(quantized + " --output " + runs.str());
  REQUIRE_MESSAGE(whole.code == 0, whole.err);
  CHECK(contains(whole.out, "Before quantization: top-1 "));
  CHECK(contains(whole.out, "Right after quantization: top-1 "));
  CHECK(contains(whole.out, "(steps from 2 batches, batch norm re-estimated)"));
  const std::string last = "folder-resnet18-w4a4-ntq/last.bin";
  CHECK(contains(read_file(runs / "folder-resnet18-w4a4-ntq/result.json"), "full_precision_top1"));

  // Interrupted as soon as there is a checkpoint within the epoch, then resumed with other threads and workers.
  const pid_t child = start(quantized + " --output " + again.str());
  REQUIRE(wait_until([&] { return fs::exists(again / last); }));
  kill(child, SIGTERM);
  const int code = finish(child);
  CHECK_MESSAGE((code == 143 || code == 0), code);
  REQUIRE(run("ntq-train --resume --threads 2 --workers 0 --output " + again.str()).code == 0);
  CHECK(read_file(again / last) == read_file(runs / last));

  // The values that the network computes with: at most 16 levels to a tensor.
  REQUIRE(run("ntq-export --quantized " + runs / last + " " + runs / "q.safetensors").code == 0);
  const TensorFile q = load_tensors(runs / "q.safetensors");
  const Tensor &weight = q.at("layer1.0.conv1.weight"), &step = q.at("layer1.0.conv1.weight_quant.step");
  CHECK(weight.shape() == Shape{64, 64, 3, 3});
  for (const float v : weight.to_vector()) {
    const float code_of = v / step.item();
    REQUIRE(std::abs(code_of - std::round(code_of)) < 1e-4f);
    REQUIRE(std::abs(code_of) <= 8.0001f);
  }
  CHECK(run("ntq-export --quantized " + fp + " " + runs / "no").code == 2);
}

TEST_CASE("bad images: named and left out in training, an error in validation and beyond the limit") {
  const TempFolder photos, runs;
  const std::string data = make_photos(photos, 8);
  write_file(photos / "train/a/0.JPEG", "");
  write_file(photos / "train/b/1.JPEG", "no image");
  const Outcome outcome = run("ntq-train" + kFolderRun + data + "--output " + runs.str());
  CHECK_MESSAGE(outcome.code == 0, outcome.err);
  CHECK(contains(outcome.err, "left out, 1 so far: "));
  CHECK(contains(outcome.err, "train/a/0.JPEG: the file is empty"));
  CHECK(contains(outcome.err, "train/b/1.JPEG: expected a JPEG, PNG, BMP or WebP image"));
  CHECK(run("ntq-train" + kFolderRun + data + "--max-bad-images 1 --output " + runs.str()).code == 3);

  const std::string eval = "ntq-eval " + runs / "folder-resnet18-fp/last.bin" + data;
  CHECK(run(eval).code == 0);
  write_file(photos / "val/a/0.JPEG", "no image");
  const Outcome strict = run(eval);
  CHECK(strict.code == 3);
  CHECK(contains(strict.err, "val/a/0.JPEG"));
  const Outcome lenient = run(eval + "--max-bad-images 1");
  CHECK(lenient.code == 0);
  CHECK(contains(lenient.err, "left out: "));
  CHECK(contains(lenient.out, "15 images in "));
}

TEST_CASE("--dry-run tells what limits the speed") {
  const TempFolder photos;
  const std::string data = make_photos(photos, 4);
  const Outcome outcome = run("ntq-train" + kFolderRun + data + "--aug field --fast-decode --dry-run");
  CHECK_MESSAGE(outcome.code == 0, outcome.err);
  CHECK(contains(outcome.out, "images/s with 2 workers, the model takes "));
  CHECK(contains(outcome.out, "bottleneck"));
}

TEST_CASE("weights of others: what does not fit is said") {
  const TempFolder photos, runs;
  const std::string data = make_photos(photos, 2);
  TensorFile file;
  file.tensors.emplace_back("conv1.weight", Tensor::zeros({64, 3, 7, 7}));
  save_tensors(runs / "part", file);
  const std::string eval = "ntq-eval " + runs / "part" + data;
  CHECK(run(eval).code == 2);
  const Outcome part = run(eval + "--dataset folder --model resnet18");
  CHECK(part.code == 4);
  CHECK(contains(part.err, "lacks 101 tensors of resnet18, the first is 'bn1.weight'"));
  const Outcome stem = run(eval + "--dataset folder --model resnet18 --stem cifar");
  CHECK(stem.code == 4);
  CHECK(contains(stem.err, "tensor 'conv1.weight': expected {64,3,3,3} F32 of resnet18, found {64,7,7,3} F32"));
  CHECK(run("ntq-eval " + runs / "part" + data + "--dataset folder --model resnet18 --mean 1,2").code == 2);
}
