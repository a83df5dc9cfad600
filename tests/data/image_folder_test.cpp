// Class folders: the list of files and its cache, labels, and the images that a loader gets.
#include "data/image_folder.h"

#include <doctest/doctest.h>

#include <cmath>

#include "data/loader.h"
#include "data/transforms.h"
#include "engine/serialize.h"
#include "tests/support/files.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;
namespace fs = std::filesystem;

namespace {

Bytes image(const std::string& name) {
  static const TensorFile golden = load_tensors(NTQ_SOURCE_DIR "/tests/golden/images.safetensors");
  const Tensor& file = golden.at(name);
  return {file.data<uint8_t>(), file.data<uint8_t>() + file.numel()};
}

/// Three classes in train, two of them in val; file names out of order.
void write_photos(const TempFolder& at) {
  for (const std::string split : {"train", "val"}) {
    at.write(split + "/n02/b.JPEG", image("wide.jpg"));
    at.write(split + "/n02/a.jpg", image("gray.jpg"));
    at.write(split + "/n01/z.JPEG", image("alpha.png"));  // a PNG by another name
    at.write(split + "/n01/notes.txt", {'x'});
    at.write(split + "/n01/.hidden.jpg", {'x'});
  }
  at.write("train/n03/c.jpeg", image("cmyk.jpg"));
}

DatasetPair open(const TempFolder& at, const std::string& name = "folder", std::optional<int64_t> limit = {}) {
  DatasetOptions options;
  options.dir = at.str();
  options.image_size = 28;
  options.limit_train = limit;
  return open_dataset(name, options);
}

const ImageFolder& photos(const std::shared_ptr<Dataset>& data) { return dynamic_cast<const ImageFolder&>(*data); }

std::string file(const std::shared_ptr<Dataset>& data, int64_t i) {
  const fs::path path = photos(data).path(i);
  return (path.parent_path().filename() / path.filename()).string();
}

struct Epoch {
  std::vector<float> images;
  std::vector<int32_t> labels;
  std::vector<int64_t> sizes;
  bool operator==(const Epoch&) const = default;
};

Epoch read_epoch(DataLoader& loader, int64_t epoch) {
  Epoch all;
  loader.start(epoch);
  while (const auto batch = loader.next()) {
    all.sizes.push_back(batch->labels.numel());
    all.images.insert(all.images.end(), batch->images.f32(), batch->images.f32() + batch->images.numel());
    all.labels.insert(all.labels.end(), batch->labels.data<int32_t>(),
                      batch->labels.data<int32_t>() + batch->labels.numel());
  }
  return all;
}

}  // namespace

TEST_CASE("classes and files in sorted order; only images count") {
  const TempFolder at;
  write_photos(at);
  const DatasetPair pair = open(at);
  CHECK(pair.train->info().classes == 3);
  CHECK(pair.train->size() == 4);
  CHECK(file(pair.train, 0) == "n01/z.JPEG");
  CHECK(file(pair.train, 1) == "n02/a.jpg");
  CHECK(file(pair.train, 2) == "n02/b.JPEG");
  CHECK(file(pair.train, 3) == "n03/c.jpeg");
  for (int64_t i = 0; i < 4; ++i) CHECK(photos(pair.train).label(i) == (i == 0 ? 0 : i == 3 ? 2 : 1));
  CHECK(pair.val->size() == 3);
  CHECK(pair.val->info().classes == 3);
  CHECK(photos(pair.val).label(2) == 1);
  // Half of the files, at equal distances.
  const DatasetPair half = open(at, "folder", 2);
  CHECK(half.train->size() == 2);
  CHECK(file(half.train, 1) == "n02/b.JPEG");
  // imagenet: the folder itself, or "imagenet" in it.
  CHECK(open(at, "imagenet").train->size() == 4);
}

TEST_CASE("pixels are those of the evaluation crop, normalised") {
  const TempFolder at;
  write_photos(at);
  const DatasetPair pair = open(at);
  const TensorFile golden = load_tensors(NTQ_SOURCE_DIR "/tests/golden/images.safetensors");
  const Tensor& expected = golden.at("alpha.png/paper");
  const auto sample = pair.val->get(0);
  REQUIRE(static_cast<int64_t>(sample.pixels.size()) == expected.numel());
  int64_t off = 0, worst = 0;  // as resample_test allows: one gray level, 0.1 on average
  for (size_t i = 0; i < sample.pixels.size(); ++i) {
    const int64_t difference = std::abs(sample.pixels[i] - expected.data<uint8_t>()[i]);
    off += difference, worst = std::max(worst, difference);
  }
  CHECK(worst <= 1);
  CHECK(off * 10 <= expected.numel());
  const Transform transform(pair.val->info());
  std::vector<float> out(sample.pixels.size()), plain(sample.pixels.size());
  CHECK(pair.val->load(0, {.transform = transform}, out.data()) == 0);
  transform(sample.pixels.data(), {}, plain.data());
  for (size_t i = 0; i < out.size(); ++i) REQUIRE(std::abs(out[i] - plain[i]) < 1e-6f);
  CHECK_THROWS_AS(pair.val->get(3), std::invalid_argument);
}

TEST_CASE("the same epoch for any number of workers; another one in the next epoch") {
  const TempFolder at;
  write_photos(at);
  const DatasetPair pair = open(at);
  Epoch first;
  for (const int workers : {0, 1, 3}) {
    DataLoader loader(pair.train, {.batch_size = 3, .workers = workers, .drop_last = false, .seed = 4});
    const Epoch epoch = read_epoch(loader, 1);
    CHECK(epoch.labels.size() == 4);
    if (workers == 0) first = epoch;
    CHECK(epoch == first);
    CHECK_FALSE(read_epoch(loader, 2) == first);
  }
}

TEST_CASE("bad images are named, counted and left out, up to the limit") {
  const TempFolder at;
  write_photos(at);
  at.write("train/n02/empty.JPEG", {});
  Bytes cut = image("wide.jpg");
  cut.resize(900);
  at.write("train/n03/cut.JPEG", cut);
  const DatasetPair pair = open(at);
  CHECK(pair.train->size() == 6);
  for (const int workers : {0, 2}) {
    DataLoader loader(pair.train, {.batch_size = 2, .workers = workers, .shuffle = false, .max_bad = 2});
    const Epoch epoch = read_epoch(loader, 0);
    CHECK(epoch.sizes == std::vector<int64_t>{2, 1, 1});
    CHECK(epoch.labels == std::vector<int32_t>{0, 1, 1, 2});
    REQUIRE(loader.bad_images().size() == 2);
    CHECK(contains(loader.bad_images()[0], "n02/empty.JPEG: the file is empty"));
    CHECK(contains(loader.bad_images()[1], "n03/cut.JPEG: the JPEG is truncated"));
    read_epoch(loader, 1);  // the same ones again do not count twice
    CHECK(loader.bad_images().size() == 2);

    DataLoader strict(pair.train, {.batch_size = 2, .workers = workers, .shuffle = false, .max_bad = 1});
    const std::string error = error_of<DataError>([&] { read_epoch(strict, 0); });
    CHECK(contains(error, "expected at most 1, found 2; the last: "));
    CHECK(contains(error, "cut.JPEG"));
    CHECK(contains(error, "--max-bad-images"));
  }
}

TEST_CASE("a batch of bad images only is empty") {
  const TempFolder at;
  for (const std::string name : {"train/a/1.jpg", "train/a/2.jpg", "val/a/1.jpg"}) at.write(name, {'n', 'o'});
  DataLoader loader(open(at).train, {.batch_size = 2, .max_bad = 5});
  loader.start(0);
  const auto batch = loader.next();
  REQUIRE(batch.has_value());
  CHECK(batch->labels.numel() == 0);
  CHECK_FALSE(loader.next().has_value());
}

TEST_CASE("a flat val folder with a list of labels") {
  const TempFolder at;
  write_photos(at);
  fs::remove_all(at.path() / "val");
  at.write("val/v2.JPEG", image("tiny.jpg"));
  at.write("val/v1.JPEG", image("tiny.jpg"));
  const auto labels = [&](const std::string& text) {
    at.write("labels.txt", Bytes(text.begin(), text.end()));
    DatasetOptions options;
    options.dir = at.str();
    options.val_labels = at.str() + "/labels.txt";
    const DatasetPair pair = open_dataset("folder", options);
    return std::pair{photos(pair.val).label(0), photos(pair.val).label(1)};
  };
  CHECK(labels("v1.JPEG n03\nv2.JPEG n01\n") == std::pair{2, 0});
  CHECK(labels("val/v2.JPEG 1\n\nval/v1.JPEG 2\n") == std::pair{2, 1});
  CHECK(labels("1\n0") == std::pair{1, 0});
  CHECK(contains(error_of<DataError>([&] { labels("1\n"); }), "expected a label for each of the 2 images, found 1"));
  CHECK(contains(error_of<DataError>([&] { labels("1\n3\n"); }), "labels.txt, line 2: expected the name of a class"));
  CHECK(contains(error_of<DataError>([&] { labels("v1.JPEG n03\n"); }), "has no label for v2.JPEG"));
  CHECK(contains(error_of<DataError>([&] { open(at); }), "--val-labels"));
}

TEST_CASE("what is missing or does not fit is said") {
  const TempFolder at;
  CHECK(contains(error_of<DataError>([&] { open(at, "imagenet"); }), "image-net.org"));
  write_photos(at);
  at.write("val/n09/x.jpg", image("tiny.jpg"));
  CHECK(contains(error_of<DataError>([&] { open(at); }), "n09: no class 'n09' is expected"));
  fs::remove_all(at.path() / "val");
  CHECK(contains(error_of<DataError>([&] { open(at); }), "val: no such folder"));
  at.write("val/n01/x.jpg", image("tiny.jpg"));
  fs::create_directories(at.path() / "train/n04");
  CHECK(contains(error_of<DataError>([&] { open(at); }), "n04: a class folder without images"));
  fs::remove_all(at.path() / "train");
  const DatasetPair pair = open(at);  // for evaluation the val folder is enough
  CHECK(pair.train == nullptr);
  CHECK(pair.val->info().classes == 1);
  DatasetOptions options;
  options.dir = at.str();
  options.image_size = 4;
  CHECK_THROWS_AS(open_dataset("folder", options), std::invalid_argument);
  options = {.dir = at.str(), .protocol = "other"};
  CHECK_THROWS_AS(open_dataset("folder", options), std::invalid_argument);
}
