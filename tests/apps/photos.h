#pragma once
// Folders of photographs for tests of the commands.
#include <filesystem>
#include <string>

#include "engine/serialize.h"
#include "tests/apps/tools.h"

namespace ntq::test {

/// `count` images in each of two classes, in train and val, out of tests/golden.
inline std::string make_photos(const TempFolder& at, int count) {
  const TensorFile golden = load_tensors(NTQ_SOURCE_DIR "/tests/golden/images.safetensors");
  const char* const names[] = {"wide.jpg", "progressive.jpg", "gray.jpg", "cmyk.jpg", "alpha.png", "tiny.jpg"};
  for (const std::string split : {"train", "val"}) {
    for (const std::string of : {"a", "b"}) {
      std::filesystem::create_directories(at / (split + "/" + of));
      for (int i = 0; i < count; ++i) {
        const Tensor& file = golden.at(names[(i + (of == "b" ? 3 : 0)) % 6]);
        write_file(at / (split + "/" + of + "/" + std::to_string(i) + ".JPEG"),
                   {reinterpret_cast<const char*>(file.data<uint8_t>()), static_cast<size_t>(file.numel())});
      }
    }
  }
  return " --data-dir " + at.str() + " ";
}

}  // namespace ntq::test
