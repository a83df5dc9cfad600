#include "apps/image_files.h"

#include <algorithm>
#include <filesystem>

#include "data/dataset.h"
#include "data/image_tree.h"
#include "engine/backend/cpu_settings.h"

namespace ntq::apps {
namespace fs = std::filesystem;

NetworkImage network_image(const infer::Graph& graph, const std::string& path) {
  NetworkImage input{.height = graph.image.height,
                     .width = graph.image.width,
                     .channels = graph.image.channels,
                     .crop = graph.preprocessing.crop,
                     .fast_decode = graph.preprocessing.fast_decode};
  check_network_image(input, path);
  return input;
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
      read_network_image(files[first + at], input, out.pixels.data() + at * bytes);
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

infer::ParallelFor cpu_parallel() {
  const auto run = [](int tasks, const std::function<void(int)>& task) {
    on_cpu_threads(tasks, [&](int64_t i) { task(static_cast<int>(i)); });
  };
  return {.threads = cpu_threads(), .run = run};
}

}  // namespace ntq::apps
