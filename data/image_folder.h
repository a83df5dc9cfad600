#pragma once
// Photographs in class folders, decoded when they are asked for.
#include <filesystem>
#include <mutex>

#include "data/crop.h"
#include "data/dataset.h"
#include "data/file_index.h"

namespace ntq {

struct ImageFolderOptions {
  Protocol protocol = Protocol::paper;
  bool fast_decode = false;
  std::optional<int64_t> limit = {};  ///< so many images, at equal distances
};

class ImageFolder final : public Dataset {
 public:
  /// `labels`: class of each file by its place in the index; empty: the index's own. info.class_names: of the labels;
  /// empty: the index's own. Throws std::invalid_argument when they do not fit.
  ImageFolder(DatasetInfo info, std::filesystem::path root, FileIndex index, std::vector<int32_t> labels,
              const ImageFolderOptions& options);
  int64_t size() const override;
  /// The middle crop that evaluation sees. The span is valid until the same thread's next get().
  Sample get(int64_t index) const override;
  /// Throws BadImageError, naming the file.
  int32_t load(int64_t index, const LoadContext& context, float* out) const override;
  const DatasetInfo& info() const override { return info_; }
  std::string fingerprint() const override;
  /// Of sample `index`.
  std::filesystem::path path(int64_t index) const;
  int32_t label(int64_t index) const;

 private:
  int64_t file_of(int64_t index) const;

  DatasetInfo info_;
  std::filesystem::path root_;
  FileIndex index_;
  std::vector<int32_t> labels_;
  ImageFolderOptions options_;
  mutable std::once_flag summed_;
  mutable std::string fingerprint_;
};

/// Image files of more bytes are refused before they are read.
constexpr uint64_t kMaxImageBytes = uint64_t{1} << 28;

/// Decodes the part of an image file that `plan(size)` says and gives its rows {side,4}, from the top. Throws
/// BadImageError naming `path`.
using CropPlan = std::function<Crop(ImageSize)>;
using CropSink = std::function<void(int64_t row, const uint8_t* rgbx)>;
void read_crop(const std::filesystem::path& path, bool fast, const CropPlan& plan, const CropSink& sink);

}  // namespace ntq
