#include "data/image_folder.h"

#include <algorithm>

#include "base/input_file.h"
#include "data/fingerprint.h"
#include "data/network_image.h"
#include "data/transforms.h"

namespace ntq {
namespace fs = std::filesystem;
namespace {

/// The file's bytes, in memory that the thread keeps for its next file.
std::span<const uint8_t> read_bytes(const fs::path& path) {
  constexpr size_t kKept = size_t{1} << 24;
  thread_local std::vector<uint8_t> bytes;
  InputFile file(path.string(), FileOf::data);
  if (file.size() > kMaxImageBytes) {
    throw DataError(concat(path.string(), ": expected an image file of at most ", kMaxImageBytes >> 20, " MB, found ",
                           file.size() >> 20, " MB"));
  }
  const auto size = static_cast<size_t>(file.size());
  if (bytes.size() > kKept && size <= kKept) std::vector<uint8_t>().swap(bytes);
  if (bytes.size() < size) bytes.resize(std::max(size, size_t{1} << 18));
  return {bytes.data(), file.read(bytes.data(), size)};
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
  if (info_.class_names.empty()) {
    for (const ClassFolder& folder : index_.classes) info_.class_names.push_back(folder.name);
  }
  const auto names = static_cast<int32_t>(info_.class_names.size());
  check(std::all_of(labels_.begin(), labels_.end(), [&](int32_t label) { return label >= 0 && label < names; }) &&
            (!labels_.empty() || static_cast<int64_t>(index_.classes.size()) <= names),
        "ImageFolder ", root_.string(), ": labels of more than the ", names, " classes that have names");
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
  return root_ / index_.path(file);
}

std::string ImageFolder::fingerprint() const {
  std::call_once(summed_, [&] {
    Fingerprint sum;
    for (int64_t i = 0; i < size(); ++i) {
      const int64_t file = file_of(i);
      sum.add(info_.class_names[static_cast<size_t>(label(i))]);
      sum.add(index_.name(file));
      sum.add(index_.file_size(file));
    }
    fingerprint_ = sum.text("list");
  });
  return fingerprint_;
}

int32_t ImageFolder::label(int64_t index) const {
  const int64_t file = file_of(index);
  return labels_.empty() ? index_.label(file) : labels_[static_cast<size_t>(file)];
}

Dataset::Sample ImageFolder::get(int64_t index) const {
  thread_local std::vector<uint8_t> pixels;
  const std::string crop = options_.protocol == Protocol::paper ? "paper" : "field";
  pixels = read_network_image(path(index), {.height = info_.height, .width = info_.width, .crop = crop});
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
