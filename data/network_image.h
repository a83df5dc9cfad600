#pragma once
// One image file as evaluation gives it to a network, in bytes: for programs that run a model on files.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace ntq {

/// What a network was trained on, as its files say it.
struct NetworkImage {
  int64_t height = 32, width = 32, channels = 3;
  std::string crop =
      "whole";  ///< "paper" or "field" (data/crop.h): the middle of a photograph; "whole": the file as it is
  bool fast_decode = false;  ///< a photograph is decoded at a fraction of its size where that is enough
};

/// Pixels {H,W,C}, as data sets have them before normalisation. Throws BadImageError, naming the file: no image;
/// "whole" and of another size; colours where there is one channel. Throws std::invalid_argument for an unknown crop,
/// and for photographs that are no squares of 3 channels.
std::vector<uint8_t> read_network_image(const std::filesystem::path& path, const NetworkImage& wanted);

}  // namespace ntq
