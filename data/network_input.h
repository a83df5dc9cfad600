#pragma once
// One image file as a trained network takes it: the bytes that its data set gives in evaluation.
#include <cstdint>
#include <filesystem>
#include <string>

#include "base/check.h"

namespace ntq {

/// What a network's file says of its images.
struct NetworkInput {
  int64_t height = 32, width = 32, channels = 3;  ///< 3: red, green, blue; 1: gray
  std::string crop = "whole";  ///< "paper" or "field": data/crop.h; "whole": small images as they are
  bool fast_decode = false;    ///< large JPEGs decoded at a fraction of their size
};

/// Nothing can be read for the network: its images have 2 channels, or a crop that nobody knows. Exit code 4.
struct UnknownInput : CheckpointError {
  using CheckpointError::CheckpointError;
};

/// Throws UnknownInput, beginning with `name`.
void check_network_input(const NetworkInput& input, const std::string& name);

/// Pixels {height,width,channels} of a JPEG, PNG, BMP or WebP: of the crop that evaluation takes. For "whole" an image
/// of that very size as it is; of any other its largest middle part of that aspect, resized. Gray of colours as Pillow
/// has it: (299 R + 587 G + 114 B) / 1000. Throws BadImageError naming `path`.
void read_network_input(const std::filesystem::path& path, const NetworkInput& input, uint8_t* pixels);

}  // namespace ntq
