// Runs know their data: what happens when the images behind a run, a checkpoint or an export are others.
#include <doctest/doctest.h>

#include <filesystem>

#include "engine/serialize.h"
#include "tests/apps/photos.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;
namespace fs = std::filesystem;

namespace {

const std::string kModel =
    " folder resnet20 --stem cifar --image-size 16 --batch-size 4 --threads 1 --workers 1 --epochs 1 ";

/// A run that waits behind its epoch: too many bad validation images.
std::string stopped_run(const TempFolder& photos, const std::string& data, const TempFolder& runs) {
  const std::string image = photos / "val/a/0.JPEG", good = read_file(image);
  write_file(image, "no image");
  const Outcome outcome = run("ntq-train" + kModel + data + "--max-bad-images 0 --output " + runs.str());
  CHECK_MESSAGE(outcome.code == 3, outcome.err);
  write_file(image, good);
  return runs / "folder-resnet20-fp";
}

}  // namespace

TEST_CASE("a bad validation image does not cost the epoch: repaired and resumed, the run ends as if there were none") {
  const TempFolder photos, whole, runs;
  const std::string data = make_photos(photos, 4);
  REQUIRE(run("ntq-train" + kModel + data + "--output " + whole.str()).code == 0);
  const std::string stopped = stopped_run(photos, data, runs);
  const Outcome info = run("ntq-info " + stopped + "/last.bin");
  CHECK_MESSAGE(contains(info.out, "0 of 1, step 2"), info.out);
  CHECK(run("ntq-train --resume " + stopped).code == 4);  // a repaired image is another one
  const Outcome resumed = run("ntq-train --allow-data-change --resume " + stopped);
  CHECK_MESSAGE(resumed.code == 0, resumed.err);
  TensorFile ours = load_tensors(stopped + "/last.bin"), theirs = load_tensors(whole / "folder-resnet20-fp/last.bin");
  CHECK(ours.metadata == theirs.metadata);
  for (const char* name : {"last.bin", "best.bin"}) {
    CHECK(read_file(stopped + "/" + name) == read_file(whole / "folder-resnet20-fp/" + name));
  }
}

TEST_CASE("too many bad training images: the steps before them are saved") {
  const TempFolder photos, runs;
  const std::string data = make_photos(photos, 4);
  for (const char* name : {"a/0", "a/1", "a/2", "b/0", "b/1", "b/2"}) {
    write_file(photos / (std::string("train/") + name + ".JPEG"), "no image");
  }
  const Outcome outcome = run("ntq-train" + kModel + data + "--max-bad-images 3 --output " + runs.str());
  CHECK(outcome.code == 3);
  CHECK(contains(outcome.err, "ntq-train --resume " + runs / "folder-resnet20-fp"));
  CHECK(contains(run("ntq-info " + runs / "folder-resnet20-fp/last.bin").out, "step 1"));
}

TEST_CASE("--resume refuses other data and says what differs") {
  const TempFolder photos, runs;
  const std::string stopped = stopped_run(photos, make_photos(photos, 4), runs);
  const std::string resume = "ntq-train --resume " + stopped;

  fs::rename(photos / "train/b", photos / "train/c");
  fs::rename(photos / "val/b", photos / "val/c");
  const Outcome renamed = run(resume);
  CHECK(renamed.code == 4);
  CHECK_MESSAGE(contains(renamed.err, "class 1 is 'b' there, 'c' here"), renamed.err);
  fs::rename(photos / "train/c", photos / "train/b");
  fs::rename(photos / "val/c", photos / "val/b");

  fs::copy(photos / "train/a/0.JPEG", photos / "train/a/9.JPEG");
  const Outcome more = run(resume);
  CHECK(more.code == 4);
  CHECK_MESSAGE(contains(more.err, "8 training images there, 9 here"), more.err);
  fs::remove(photos / "train/a/9.JPEG");

  write_file(photos / "train/a/0.JPEG", read_file(photos / "train/a/0.JPEG") + "x");
  const Outcome other = run(resume);
  CHECK(other.code == 4);
  CHECK_MESSAGE(contains(other.err, "as many training images, but not the same ones"), other.err);
  const Outcome meant = run(resume + " --allow-data-change");
  CHECK_MESSAGE(meant.code == 0, meant.err);
  CHECK(contains(meant.err, "goes on with other data"));
  // What was trained on two data sets is nobody's first stage.
  CHECK(contains(run("ntq-info " + stopped + "/last.bin").out, "the first epochs saw others"));
  const Outcome next = run("ntq-train" + kModel + " --data-dir " + photos.str() + " --bits 4 --output " + runs.str());
  REQUIRE_MESSAGE(next.code == 0, next.err);
  CHECK_MESSAGE(contains(next.out, "not taken: its first epochs saw other data"), next.out);
}

TEST_CASE("a run that goes on with its data in another place finds them there the next time, too") {
  const TempFolder photos, runs;
  const std::string stopped = stopped_run(photos, make_photos(photos, 4), runs);
  const TempFolder moved;
  fs::rename(photos / "train", moved / "train");
  fs::rename(photos / "val", moved / "val");
  CHECK(run("ntq-train --resume " + stopped).code == 3);
  write_file(moved / "val/b/0.JPEG", "no image");
  const std::string other = " --allow-data-change --max-bad-images 0 --data-dir " + moved.str();
  CHECK(run("ntq-train --resume " + stopped + other).code == 3);  // stops again
  CHECK(contains(read_file(stopped + "/config.json"), "\"data_dir\": \"" + moved.str() + "\""));
  const Outcome bare = run("ntq-train --allow-data-change --max-bad-images 1 --resume " + stopped);
  CHECK_MESSAGE(bare.code == 0, bare.err);
}

TEST_CASE("a full-precision stage is reused for the same data only") {
  const TempFolder one, two, runs;
  const std::string first = make_photos(one, 4), second = make_photos(two, 4);
  fs::remove(two / "train/b/3.JPEG");
  const std::string train = "ntq-train" + kModel + "--bits 4 --no-start-eval --output " + runs.str();
  REQUIRE(run(train + first).code == 0);
  CHECK(contains(run(train + first).out, "already there, " + runs / "folder-resnet20-fp"));
  const Outcome other = run(train + second);
  REQUIRE_MESSAGE(other.code == 0, other.err);
  CHECK(
      contains(other.out, "folder-resnet20-fp is of the same recipe, but not taken: 8 training images there, 7 here"));
  CHECK(fs::exists(runs / "folder-resnet20-fp-2/result.json"));
  // Its validation images matter no more.
  fs::remove(one / "val/b/3.JPEG");
  const Outcome fewer = run(train + first + "--first-last-bits 8");
  CHECK_MESSAGE(fewer.code == 0, fewer.err);
  CHECK(contains(fewer.out, "already there, " + runs / "folder-resnet20-fp"));
}

TEST_CASE("--init knows the classes and the preprocessing of a file, checkpoint or export, and says what it does not") {
  const TempFolder photos, runs;
  const std::string data = make_photos(photos, 4), checkpoint = runs / "folder-resnet20-fp/last.bin";
  REQUIRE(run("ntq-train" + kModel + data + "--output " + runs.str()).code == 0);
  const std::string file = runs / "w.safetensors", bare = runs / "bare.safetensors";
  REQUIRE(run("ntq-export " + checkpoint + " " + file).code == 0);
  TensorFile without = load_tensors(checkpoint);
  without.metadata.erase("ntq.data");
  save_tensors(bare, without);
  for (const char* part : {"train", "val"}) fs::rename(photos / part + "/b", photos / part + "/c");
  const std::string again = "ntq-train" + kModel + data + "--mean 0,0,0 --output " + runs / "2 --init ";
  for (const std::string& from : {checkpoint, file}) {
    const Outcome outcome = run(again + from);
    REQUIRE_MESSAGE(outcome.code == 0, outcome.err);
    CHECK_MESSAGE(contains(outcome.out, "class 1 is 'b' there, 'c' here: the classifier starts anew"), outcome.out);
    CHECK_MESSAGE(contains(outcome.out, "mean [0.485,0.456,0.406]"), outcome.out);
  }
  CHECK(contains(run(again + bare).out, "does not name its classes"));
  CHECK(contains(run("ntq-eval " + bare + data).err, "does not name its classes"));
  const Outcome exported = run("ntq-export " + bare + " " + runs / "x.safetensors");
  CHECK_MESSAGE(contains(exported.err, "does not name its classes"), exported.out, exported.err);
}

TEST_CASE("ntq-eval maps classes by name; exports keep classes and preprocessing") {
  const TempFolder photos, runs;
  const std::string data = make_photos(photos, 4);
  REQUIRE(run("ntq-train" + kModel + data + "--mean 0,0,0 --output " + runs.str()).code == 0);
  const std::string checkpoint = runs / "folder-resnet20-fp/last.bin", eval = "ntq-eval " + checkpoint + data;
  const std::string own = run(eval + "--json").out;
  const auto loss = [](const std::string& out) { return out.substr(out.find("\"loss\""), 20); };

  // Only one of the classes is there: its number is still the checkpoint's.
  const TempFolder part, exported;
  fs::create_directories(part / "val");
  fs::copy(photos / "val/b", part / "val/b", fs::copy_options::recursive);
  const Outcome one = run("ntq-eval " + checkpoint + " --data-dir " + part.str() + " --logits " + exported / "l");
  REQUIRE_MESSAGE(one.code == 0, one.err);
  const TensorFile logits = load_tensors(exported / "l");
  const Tensor& labels = logits.at("labels");
  REQUIRE(labels.numel() == 4);
  for (int64_t i = 0; i < 4; ++i) CHECK(labels.data<int32_t>()[i] == 1);

  fs::rename(part / "val/b", part / "val/c");
  const Outcome unknown = run("ntq-eval " + checkpoint + " --data-dir " + part.str());
  CHECK(unknown.code == 3);
  CHECK_MESSAGE(contains(unknown.err, "'c'"), unknown.err);

  const std::string file = exported / "w.safetensors";
  REQUIRE(run("ntq-export " + checkpoint + " " + file).code == 0);
  const safetensors::Header header = load_header(file);
  CHECK(contains(header.metadata.at("ntq.data"), R"("classes":["a","b"])"));
  CHECK(contains(header.metadata.at("ntq.preprocessing"), R"("mean":[0.0,0.0,0.0])"));
  // An export says itself what it is, and how its images are prepared.
  const Outcome of_export = run("ntq-eval " + file + data + "--json");
  REQUIRE_MESSAGE(of_export.code == 0, of_export.err);
  CHECK(loss(of_export.out) == loss(own));
  CHECK_FALSE(loss(run(eval + "--mean 0.5,0.5,0.5 --json").out) == loss(own));
}

TEST_CASE("an export of a network for gray images keeps its mean, too") {
  const TempFolder data, runs;
  const auto big_endian = [](std::initializer_list<int> numbers) {
    std::string out;
    for (const int n : numbers) out += {char(n >> 24), char(n >> 16), char(n >> 8), char(n)};
    return out;
  };
  for (const std::string part : {"train", "t10k"}) {
    std::string pixels(16 * 28 * 28, 'x'), labels(16, '\1');
    for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<char>(i % 251);
    write_file(data / (part + "-images-idx3-ubyte"), big_endian({2051, 16, 28, 28}) + pixels);
    write_file(data / (part + "-labels-idx1-ubyte"), big_endian({2049, 16}) + labels);
  }
  const std::string from = " --threads 1 --data-dir " + data.str();
  REQUIRE(run("ntq-train fashion-mnist resnet20 --batch-size 8 --epochs 1 --mean 0,0,0 --output " + runs.str() + from)
              .code == 0);
  const Outcome lost = run("ntq-train fashion-mnist resnet20 --mean 0.1,0.2,0.3 --output " + runs.str() + from);
  CHECK(lost.code == 2);
  CHECK_MESSAGE(contains(lost.err, "--mean: fashion-mnist has one channel"), lost.err);
  const std::string checkpoint = runs / "fashion-mnist-resnet20-fp/last.bin", file = runs / "w.safetensors";
  REQUIRE(run("ntq-export " + checkpoint + " " + file).code == 0);
  const auto score = [&](const std::string& of) {
    const std::string out = run("ntq-eval " + of + from).out;
    const size_t at = out.find("top-1");
    REQUIRE(at != std::string::npos);
    return out.substr(at, out.find('\n', at) - at);
  };
  CHECK(score(file) == score(checkpoint));
}

TEST_CASE("an export never replaces the checkpoint that it is made from") {
  const TempFolder photos, runs;
  REQUIRE(run("ntq-train" + kTiny + "--epochs 1 --quiet --output " + runs.str()).code == 0);
  const std::string checkpoint = runs / "synthetic-resnet20-fp/last.bin", before = read_file(checkpoint);
  fs::create_symlink(checkpoint, runs / "link");
  fs::create_hard_link(checkpoint, runs / "hard");
  for (const std::string& out : {checkpoint, runs / "link", runs / "hard"}) {
    CHECK(run("ntq-export --overwrite " + checkpoint + " " + out).code == 2);
  }
  CHECK(read_file(checkpoint) == before);
}
