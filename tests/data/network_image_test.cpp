// Files as a network sees them: the bytes behind what a data set gives.
#include "data/network_image.h"

#include <doctest/doctest.h>

#include "data/image_folder.h"
#include "data/transforms.h"
#include "engine/serialize.h"
#include "tests/support/bmp.h"
#include "tests/support/files.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;

namespace {

/// A folder of one class with this one of the golden images in both splits.
TempFolder& with_photo(TempFolder& folder, const std::string& name) {
  static const TensorFile golden = load_tensors(NTQ_SOURCE_DIR "/tests/golden/images.safetensors");
  const Tensor& file = golden.at(name);
  const Bytes bytes{file.data<uint8_t>(), file.data<uint8_t>() + file.numel()};
  for (const char* split : {"train", "val"}) folder.write(std::string(split) + "/a/photo.jpg", bytes);
  return folder;
}

std::string error_at(const std::string& path, const NetworkImage& wanted) {
  return error_of<BadImageError>([&] { read_network_image(path, wanted); });
}

}  // namespace

TEST_CASE("network image: photographs are what a data set gives in evaluation, to the bit") {
  TempFolder folder;
  const std::string path = with_photo(folder, "wide.jpg") / "val/a/photo.jpg";
  for (const char* crop : {"paper", "field"}) {
    for (const bool fast : {false, true}) {
      CAPTURE(crop);
      CAPTURE(fast);
      DatasetOptions options;
      options.dir = folder.str();
      options.image_size = 28;
      options.protocol = crop;
      options.fast_decode = fast;
      const auto val = open_dataset("folder", options).val;
      const Transform transform(val->info());
      std::vector<float> wanted(28 * 28 * 3), found(wanted.size());
      val->load(0, {.transform = transform}, wanted.data());
      const auto pixels = read_network_image(path, {.height = 28, .width = 28, .crop = crop, .fast_decode = fast});
      for (int64_t y = 0; y < 28; ++y) {
        std::vector<uint8_t> rgbx;
        for (int64_t x = 0; x < 28; ++x) {
          const auto pixel = pixels.begin() + (y * 28 + x) * 3;
          rgbx.insert(rgbx.end(), {pixel[0], pixel[1], pixel[2], 0});
        }
        transform.row(rgbx.data(), 28, false, found.data() + y * 28 * 3);
      }
      CHECK(found == wanted);
    }
  }
}

TEST_CASE("network image: whole files keep their pixels and have the network's size") {
  const TempFolder folder;
  const Bytes blue_and_red = {0, 0, 255, 255, 0, 0};
  folder.write("a.bmp", bmp_of(blue_and_red, 1, 2));
  CHECK(read_network_image(folder / "a.bmp", {.height = 1, .width = 2}) == blue_and_red);
  CHECK(contains(error_at(folder / "a.bmp", {.height = 2, .width = 2}), "a.bmp: expected an image of 2x2 pixels"));
  CHECK(contains(error_at(folder / "a.bmp", {.height = 1, .width = 2, .channels = 1}), "expected a gray image"));
  folder.write("text", {'x'});
  CHECK(contains(error_at(folder / "text", {}), "text"));
  CHECK(contains(error_at(folder / "missing", {}), "missing"));
  CHECK_THROWS_AS(read_network_image(folder / "a.bmp", {.crop = "odd"}), std::invalid_argument);
  CHECK_THROWS_AS(read_network_image(folder / "a.bmp", {.height = 8, .width = 9, .crop = "field"}),
                  std::invalid_argument);
}
