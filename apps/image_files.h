#pragma once
// Image files that a command line names, read as a network takes them.
#include <string>
#include <vector>

#include "data/network_image.h"
#include "engine/tensor.h"
#include "infer/model.h"

namespace ntq::apps {

/// As a deploy graph says; throws CheckpointError, beginning with `path`, where no image file can be that.
NetworkImage network_image(const infer::Graph& graph, const std::string& path);

/// The files named, and for a folder the image files in it and below, in order. Throws DataError for a folder without
/// any, or that cannot be read.
std::vector<std::string> image_files(const std::vector<std::string>& paths);

/// Files [first, first + count) side by side on the CPU threads.
struct ReadImages {
  std::vector<uint8_t> pixels = {};      ///< {images that could be read, H, W, C}
  std::vector<std::string> errors = {};  ///< of each file; "": it could be read
  int64_t good = 0;
};
ReadImages read_images(const std::vector<std::string>& files, size_t first, size_t count, const NetworkImage& input);

/// The first `count` of these images as the network that `model` was lowered from takes them, {count, H, W, C}.
Tensor normalised(const infer::Model& model, const std::vector<uint8_t>& images, int64_t count);

}  // namespace ntq::apps
