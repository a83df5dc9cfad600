// Files that are no files, that claim more than there is, or have odd names: bad images, never a hang.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include "base/input_file.h"
#include "data/idx.h"
#include "data/image_folder.h"
#include "data/loader.h"
#include "engine/serialize.h"
#include "tests/support/files.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;
namespace fs = std::filesystem;

namespace {

Bytes small_photo() {
  static const TensorFile golden = load_tensors(NTQ_SOURCE_DIR "/tests/golden/images.safetensors");
  const Tensor& file = golden.at("tiny.jpg");
  return {file.data<uint8_t>(), file.data<uint8_t>() + file.numel()};
}

/// What a loader says of the training images of class "a".
std::vector<std::string> bad_images(const TempFolder& at) {
  DatasetOptions options;
  options.dir = at.str();
  options.image_size = 28;
  DataLoader loader(open_dataset("folder", options).train,
                    {.batch_size = 64, .workers = 2, .shuffle = false, .drop_last = false, .max_bad = 64});
  loader.start(0);
  while (loader.next()) {
  }
  return loader.bad_images();
}

}  // namespace

TEST_CASE("what is no regular file is a bad image") {
  const TempFolder at;
  for (const std::string file : {"train/a/ok.jpg", "val/a/ok.jpg"}) at.write(file, small_photo());
  const fs::path folder = at.path() / "train/a";
  REQUIRE(mkfifo((folder / "1.jpg").c_str(), 0600) == 0);
  fs::create_symlink("/dev/zero", folder / "2.jpg");
  fs::create_symlink("/nowhere", folder / "3.jpg");
  fs::create_symlink("4.jpg", folder / "4.jpg");
  at.write("train/a/5.jpg", small_photo());
  fs::resize_file(folder / "5.jpg", uint64_t{1} << 40);  // a terabyte, sparse
  const std::vector<std::string> bad = bad_images(at);
  REQUIRE(bad.size() == 5);
  CHECK(contains(bad[0], "1.jpg: expected a file, found a named pipe"));
  CHECK(contains(bad[1], "2.jpg: expected a file, found a device"));
  CHECK(contains(bad[2], "3.jpg: cannot be opened: "));
  CHECK(contains(bad[3], "4.jpg: cannot be opened: "));
  CHECK(contains(bad[4], "5.jpg: expected an image file of at most 256 MB, found 1048576 MB"));
}

TEST_CASE("names of any bytes are names") {
  const TempFolder at;
  at.write("val/a/ok.jpg", small_photo());
  for (const std::string name : {"\x1b[31mred.jpg", "new\nline.jpg", "\xff\xfe.jpg", " .jpg", "\xc3\xbc.jpg"}) {
    at.write("train/a/" + name, small_photo());
    at.write("train/\x1b[0m \xff/" + name, small_photo());
    at.write("val/\x1b[0m \xff/" + name, small_photo());
  }
  CHECK(bad_images(at).empty());
}

TEST_CASE("data files that are pipes or devices are refused, not waited for") {
  const TempFolder at;
  const fs::path pipe = at.path() / "pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  const std::vector<int64_t> none;
  CHECK(contains(error_of<DataError>([&] { read_idx(pipe, none); }), "found a "));
  CHECK(contains(error_of<DataError>([&] { read_text_file(pipe, 100, FileOf::data); }),
                 "pipe: expected a file, found a named pipe"));
  CHECK(contains(error_of<DataError>([&] { read_text_file(at.str(), 100, FileOf::data); }),
                 "expected a file, found a folder"));
  CHECK(contains(error_of<DataError>([&] { read_text_file("/dev/null", 100, FileOf::data); }), "found a device"));
  fs::create_directories(at.path() / "cifar-100-binary");
  for (const std::string file : {"train.bin", "test.bin"}) {
    REQUIRE(mkfifo((at.path() / "cifar-100-binary" / file).c_str(), 0600) == 0);
  }
  CHECK(contains(error_of<DataError>([&] { open_dataset("cifar100", at.str()); }), "expected a file"));
  at.write("train/a/ok.jpg", small_photo());
  at.write("val/ok.jpg", small_photo());
  DatasetOptions options;
  options.dir = at.str();
  options.val_labels = pipe.string();
  CHECK(contains(error_of<DataError>([&] { open_dataset("folder", options); }), "--val-labels names the list"));
}
