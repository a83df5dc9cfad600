// Folders of photographs as archives unpack them; what labels mean, and what a set is told apart by.
#include <doctest/doctest.h>

#include "data/image_folder.h"
#include "engine/serialize.h"
#include "tests/support/files.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;
namespace fs = std::filesystem;

namespace {

const Bytes& tiny_photo() {
  static const TensorFile golden = load_tensors(NTQ_SOURCE_DIR "/tests/golden/images.safetensors");
  static const Bytes bytes(golden.at("tiny.jpg").data<uint8_t>(),
                           golden.at("tiny.jpg").data<uint8_t>() + golden.at("tiny.jpg").numel());
  return bytes;
}

void write_photos_to(const TempFolder& at, const std::vector<std::string>& files) {
  for (const std::string& file : files) at.write(file, tiny_photo());
}

void write_text(const TempFolder& at, const std::string& file, const std::string& text) {
  at.write(file, Bytes(text.begin(), text.end()));
}

DatasetOptions options(const TempFolder& at) {
  DatasetOptions out;
  out.dir = at.str();
  out.image_size = 28;
  return out;
}

std::vector<int32_t> labels(const std::shared_ptr<Dataset>& data) {
  std::vector<int32_t> out;
  for (int64_t i = 0; i < data->size(); ++i) out.push_back(dynamic_cast<const ImageFolder&>(*data).label(i));
  return out;
}

using Names = std::vector<std::string>;

bool noticed(const DatasetPair& pair, const std::string& text) {
  for (const std::string& line : pair.notices) {
    if (contains(line, text)) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("Tiny-ImageNet as it is unpacked") {
  const TempFolder at;
  write_photos_to(at, {"train/n1/images/a.JPEG", "train/n2/images/b.JPEG", "val/images/v0.JPEG", "val/images/v1.JPEG"});
  write_text(at, "train/n1/n1_boxes.txt", "a.JPEG\t0\t0\t1\t1\n");
  write_text(at, "val/val_annotations.txt", "v0.JPEG\tn2\t0\t0\t9\t9\nv1.JPEG\tn1\t0\t0\t9\t9\n");
  DatasetOptions o = options(at);
  const DatasetPair pair = open_dataset("folder", o);
  CHECK(pair.train->info().class_names == Names{"n1", "n2"});
  CHECK(labels(pair.train) == std::vector<int32_t>{0, 1});
  CHECK(labels(pair.val) == std::vector<int32_t>{1, 0});
  CHECK(noticed(pair, "train: 1 file left out: 1 .txt"));
  CHECK(noticed(pair, "the labels are those of "));
  CHECK(pair.notices.size() == 2);
  o.val_labels = at.str() + "/val/val_annotations.txt";
  CHECK(labels(open_dataset("folder", o).val) == std::vector<int32_t>{1, 0});
  CHECK(open_dataset("folder", o).val->fingerprint() == pair.val->fingerprint());
}

TEST_CASE("the flat val folder alone") {
  const TempFolder at;
  write_photos_to(at, {"val/cat.jpg", "val/dog.jpg", "val/emu.jpg"});
  DatasetOptions o = options(at);
  CHECK(contains(error_of<DataError>([&] { open_dataset("folder", o); }), "--val-labels"));
  o.val_labels = at.str() + "/list";
  write_text(at, "list", "emu.jpg emu\ndog.jpg dog\ncat.jpg cat\n");
  const DatasetPair named = open_dataset("folder", o);
  CHECK(named.train == nullptr);
  CHECK(named.val->info().class_names == Names{"cat", "dog", "emu"});
  CHECK(named.val->info().classes == 3);
  CHECK(labels(named.val) == std::vector<int32_t>{0, 1, 2});
  CHECK(named.notices.empty());
  o.class_names = {"bee", "emu", "dog", "cat"};
  const DatasetPair mapped = open_dataset("folder", o);
  CHECK(mapped.val->info().class_names == o.class_names);
  CHECK(labels(mapped.val) == std::vector<int32_t>{3, 2, 1});
  CHECK(mapped.val->fingerprint() == named.val->fingerprint());
  CHECK(noticed(mapped, "val: no images of 1 (bee) out of 4 classes"));
  write_text(at, "list", "cat.jpg 3\ndog.jpg 2\nemu.jpg 1\n");
  CHECK(labels(open_dataset("folder", o).val) == std::vector<int32_t>{3, 2, 1});
  CHECK(open_dataset("folder", o).val->fingerprint() == named.val->fingerprint());
  o.class_names = {"cat", "dog"};
  CHECK(
      contains(error_of<DataError>([&] { open_dataset("folder", o); }), "list, line 1: expected the name of a class"));
  o.class_names.clear();
  CHECK(open_dataset("folder", o).val->info().class_names == Names{"0", "1", "2", "3"});
  o.class_count = 6;  // a network has more classes than the list has images of
  CHECK(open_dataset("folder", o).val->info().classes == 6);
  write_text(at, "list", "emu.jpg emu\ndog.jpg dog\ncat.jpg cat\n");
  CHECK(open_dataset("folder", o).val->info().class_names == Names{"cat", "dog", "emu"});
}

TEST_CASE("class folders are matched by name with the classes that labels have to mean") {
  const TempFolder at;
  write_photos_to(at, {"train/cat/1.jpg", "train/emu/1.jpg", "val/cat/1.jpg", "val/emu/1.jpg"});
  DatasetOptions o = options(at);
  o.class_names = {"emu", "dog", "cat"};
  const DatasetPair pair = open_dataset("folder", o);
  CHECK(pair.train->info().classes == 3);
  CHECK(labels(pair.train) == std::vector<int32_t>{2, 0});
  CHECK(labels(pair.val) == std::vector<int32_t>{2, 0});
  CHECK(pair.train->fingerprint() == open_dataset("folder", options(at)).train->fingerprint());
  CHECK(noticed(pair, "val: no images of 1 (dog) out of 3 classes"));
  o.class_names = {"dog", "emu", "zcat"};
  const std::string error = error_of<DataError>([&] { open_dataset("folder", o); });
  CHECK(
      contains(error, "train/cat: no class 'cat' is expected; expected 3 (dog, emu, zcat), found 2 (cat, emu); name"));
  fs::remove_all(at.path() / "train");
  CHECK(contains(error_of<DataError>([&] { open_dataset("folder", o); }), "val/cat: no class 'cat'"));
}

TEST_CASE("a fingerprint of photographs is that of classes, names and sizes") {
  const TempFolder at, copy;
  for (const TempFolder* folder : {&at, &copy}) {
    write_photos_to(*folder, {"train/cat/1.jpg", "train/cat/2.jpg", "train/dog/1.jpg", "val/cat/1.jpg"});
  }
  const auto print = [&](const TempFolder& of, const std::optional<int64_t>& limit = {}) {
    DatasetOptions o = options(of);
    o.limit_train = limit;
    return open_dataset("folder", o).train->fingerprint();
  };
  const std::string first = print(at);
  CHECK(first.size() == 13);
  CHECK(first.rfind("list:", 0) == 0);
  CHECK(print(copy) == first);
  CHECK(print(at, 2) != first);
  Bytes longer = tiny_photo();
  longer.push_back(0);
  copy.write("train/cat/2.jpg", longer);
  CHECK(print(copy) != first);
  fs::rename(copy.path() / "train/cat/2.jpg", copy.path() / "train/cat/3.jpg");
  copy.write("train/cat/3.jpg", tiny_photo());
  CHECK(print(copy) != first);
  fs::rename(copy.path() / "train/cat/3.jpg", copy.path() / "train/cat/2.jpg");
  CHECK(print(copy) == first);
  fs::rename(copy.path() / "train/dog", copy.path() / "train/emu");
  fs::rename(copy.path() / "val/cat", copy.path() / "val/emu");
  CHECK(print(copy) != first);
}

TEST_CASE("what is left out comes as notices") {
  const TempFolder at;
  write_photos_to(at, {"train/cat/1.jpg", "train/dog/1.jpg", "train/dog/2.gif", "val/cat/1.jpg", "val/loose.jpg"});
  const DatasetPair pair = open_dataset("folder", options(at));
  REQUIRE(pair.notices.size() == 3);
  CHECK(contains(pair.notices[0], "/train: 1 file left out: 1 .gif"));
  CHECK(contains(pair.notices[1], "/val: 1 file left out: 1 .jpg outside of class folders"));
  CHECK(contains(pair.notices[2], "/val: no images of 1 (dog) out of 2 classes"));
  fs::remove(at.path() / "train/dog/1.jpg");
  CHECK(contains(error_of<DataError>([&] { open_dataset("folder", options(at)); }), "left out: 1 .gif"));
}
