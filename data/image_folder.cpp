#include "data/image_folder.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "data/transforms.h"

namespace ntq {
namespace fs = std::filesystem;
namespace {

/// The file's bytes, in memory that the thread keeps for its next file.
std::span<const uint8_t> read_bytes(const fs::path& path) {
  thread_local std::vector<uint8_t> bytes;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) throw BadImageError(concat(path.string(), ": cannot be opened: ", std::strerror(errno)));
  std::setvbuf(file.get(), nullptr, _IONBF, 0);
  size_t size = 0;
  for (;;) {
    if (bytes.size() < size + (size_t{1} << 16)) bytes.resize(std::max(2 * bytes.size(), size_t{1} << 18));
    const size_t got = std::fread(bytes.data() + size, 1, bytes.size() - size, file.get());
    size += got;
    if (got == 0) break;
  }
  if (std::ferror(file.get()) != 0)
    throw BadImageError(concat(path.string(), ": cannot be read: ", std::strerror(errno)));
  return {bytes.data(), size};
}

/// Part of each side that a shrunken decode has to keep, so that no axis of the crop gets more pixels out than in.
double needed(const Crop& crop) {
  const auto of = [](const ResampleAxis& a) { return static_cast<double>(a.size) / (a.end - a.begin); };
  return std::max(of(crop.horizontal), of(crop.vertical));
}

}  // namespace

void read_crop(const fs::path& path, bool fast, const CropPlan& plan, const CropSink& sink) {
  try {
    ImageFile image(read_bytes(path), path.string());
    Crop crop = plan(image.size());
    if (fast) {
      const ImageSize whole = image.size();
      image.shrink(needed(crop));
      crop = rescaled(crop, whole, image.size());
    }
    Resampler resampler(crop.horizontal, crop.vertical);
    int64_t y = resampler.first_row(), row = 0;
    image.read_rows(y, resampler.end_row(), resampler.left(), resampler.right(), [&](const uint8_t* rgbx) {
      resampler.push(y++, rgbx);
      while (const uint8_t* done = resampler.pop()) sink(row++, done);
    });
  } catch (const BadImageError&) {
    throw;
  } catch (const DataError& e) {
    throw BadImageError(e.what());
  }
}

ImageFolder::ImageFolder(DatasetInfo info, fs::path root, FileIndex index, std::vector<int32_t> labels,
                         const ImageFolderOptions& options)
    : info_(std::move(info)),
      root_(std::move(root)),
      index_(std::move(index)),
      labels_(std::move(labels)),
      options_(options) {
  check(labels_.empty() || static_cast<int64_t>(labels_.size()) == index_.size(), "ImageFolder ", root_.string(), ": ",
        labels_.size(), " labels for ", index_.size(), " files");
  check(info_.channels == 3 && info_.height == info_.width && info_.height >= 1, "ImageFolder ", root_.string(),
        ": expected square images of 3 channels, found ", info_.height, "x", info_.width, "x", info_.channels);
  info_.decodes = true;
}

int64_t ImageFolder::size() const { return std::min(index_.size(), options_.limit.value_or(index_.size())); }

/// Classes lie one after another: the first N files would be of a few classes only.
int64_t ImageFolder::file_of(int64_t index) const {
  check(index >= 0 && index < size(), "ImageFolder ", root_.string(), ": index ", index, " is outside of ", size(),
        " images");
  return index * index_.size() / size();
}

fs::path ImageFolder::path(int64_t index) const {
  const int64_t file = file_of(index);
  return root_ / index_.classes[static_cast<size_t>(index_.label(file))].name / index_.name(file);
}

int32_t ImageFolder::label(int64_t index) const {
  const int64_t file = file_of(index);
  return labels_.empty() ? index_.label(file) : labels_[static_cast<size_t>(file)];
}

Dataset::Sample ImageFolder::get(int64_t index) const {
  thread_local std::vector<uint8_t> pixels;
  const int64_t side = info_.height;
  pixels.resize(static_cast<size_t>(side * side * 3));
  read_crop(
      path(index), false, [&](ImageSize size) { return center_crop(options_.protocol, size, side); },
      [&](int64_t row, const uint8_t* rgbx) {
        uint8_t* out = pixels.data() + row * side * 3;
        for (int64_t x = 0; x < side; ++x) std::copy_n(rgbx + 4 * x, 3, out + 3 * x);
      });
  return {pixels, label(index)};
}

int32_t ImageFolder::load(int64_t index, const LoadContext& context, float* out) const {
  const int64_t side = info_.height;
  bool mirror = false;
  read_crop(
      path(index), options_.fast_decode,
      [&](ImageSize size) {
        if (!context.augment) return center_crop(options_.protocol, size, side);
        const Crop crop = random_crop(options_.protocol, size, side, context.seed, context.epoch, index);
        mirror = crop.mirror;
        return crop;
      },
      [&](int64_t row, const uint8_t* rgbx) { context.transform.row(rgbx, side, mirror, out + row * side * 3); });
  return label(index);
}

}  // namespace ntq
