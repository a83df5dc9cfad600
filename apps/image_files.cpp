#include "apps/image_files.h"

#include <algorithm>
#include <filesystem>

#include "data/dataset.h"
#include "data/image_tree.h"
#include "engine/backend/cpu_settings.h"

namespace ntq::apps {
namespace fs = std::filesystem;

NetworkImage network_image(const infer::Graph& graph, const std::string& path) {
  const bool whole = graph.preprocessing.crop == "whole";
  const infer::MapShape& s = graph.image;
  if (whole ? s.channels == 2 : s.channels != 3 || s.height != s.width) {
    throw CheckpointError(concat(path, ": reads images of ", s.height, "x", s.width, "x", s.channels,
                                 "; expected for image files ", whole ? "1 or 3 channels" : "squares of 3 channels"));
  }
  return {.height = s.height,
          .width = s.width,
          .channels = s.channels,
          .crop = graph.preprocessing.crop,
          .fast_decode = graph.preprocessing.fast_decode};
}

std::vector<std::string> image_files(const std::vector<std::string>& paths) {
  std::vector<std::string> out;
  for (const std::string& path : paths) {
    std::error_code none;
    if (!fs::is_directory(path, none)) {
      out.push_back(path);
      continue;
    }
    const ImageTree tree = read_image_tree(path);
    if (tree.files.empty()) throw DataError(path + ": no image files in it (" + image_endings() + ")");
    for (const auto& file : tree.files) out.push_back((fs::path(path) / file.name).string());
  }
  return out;
}

ReadImages read_images(const std::vector<std::string>& files, size_t first, size_t count, const NetworkImage& input) {
  const auto bytes = static_cast<size_t>(input.height * input.width * input.channels);
  ReadImages out{.pixels = std::vector<uint8_t>(count * bytes), .errors = std::vector<std::string>(count)};
  on_cpu_threads(static_cast<int64_t>(count), [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    try {
      std::ranges::copy(read_network_image(files[first + at], input), out.pixels.data() + at * bytes);
    } catch (const BadImageError& e) {
      out.errors[at] = e.what();
    }
  });
  for (size_t i = 0; i < count; ++i) {
    if (!out.errors[i].empty()) continue;
    std::copy_n(out.pixels.data() + i * bytes, bytes, out.pixels.data() + static_cast<size_t>(out.good++) * bytes);
  }
  out.pixels.resize(static_cast<size_t>(out.good) * bytes);
  return out;
}

Tensor normalised(const infer::Model& model, const std::vector<uint8_t>& images, int64_t count) {
  const infer::MapShape s = model.image();
  Tensor out = Tensor::empty({count, s.height, s.width, s.channels});
  const auto channels = static_cast<size_t>(s.channels), size = static_cast<size_t>(out.numel());
  for (size_t i = 0; i < size; ++i) out.f32()[i] = model.normalised_bytes()[i % channels * 256 + images[i]];
  return out;
}

}  // namespace ntq::apps
