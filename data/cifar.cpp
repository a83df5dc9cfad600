// CIFAR-10 and CIFAR-100, binary version (https://www.cs.toronto.edu/~kriz/cifar.html): records of one or two label
// bytes, then three 32x32 planes.
#include <algorithm>

#include "base/input_file.h"
#include "data/cifar_names.h"
#include "data/class_names.h"
#include "data/files.h"
#include "data/memory_dataset.h"
#include "data/sources.h"

namespace ntq {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kPlane = 32 * 32, kImage = 3 * kPlane;

struct Format {
  DatasetInfo info;
  std::vector<int> label_bounds;  ///< of each label byte; the last one is the label we use
  std::vector<std::string> train, val;
  std::vector<std::string> folders;
  std::string archive;
  int64_t record() const { return static_cast<int64_t>(label_bounds.size()) + kImage; }
};

Format cifar10() {
  return {{"cifar10", 32, 32, 3, 10, {.4914f, .4822f, .4465f}, {.2470f, .2435f, .2616f}, true, false, cifar10_names()},
          {10},
          {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
          {"test_batch.bin"},
          {"cifar-10-batches-bin", "cifar10", "cifar10/cifar-10-batches-bin"},
          "cifar-10-binary.tar.gz"};
}

Format cifar100() {
  return {
      {"cifar100", 32, 32, 3, 100, {.5071f, .4865f, .4409f}, {.2673f, .2564f, .2762f}, true, false, cifar100_names()},
      {20, 100},
      {"train.bin"},
      {"test.bin"},
      {"cifar-100-binary", "cifar100", "cifar100/cifar-100-binary"},
      "cifar-100-binary.tar.gz"};
}

int64_t count_records(const fs::path& path, int64_t record) {
  const int64_t bytes = file_bytes(path);
  if (bytes == 0 || bytes % record != 0 || bytes / record > kMaxRecords) {
    throw DataError(concat(path.string(), ": expected 1 to ", kMaxRecords, " records of ", record, " bytes, found ",
                           bytes, " bytes (", bytes / record, " records and ", bytes % record,
                           " bytes more); the file is truncated or another format, unpack it again"));
  }
  return bytes / record;
}

int32_t read_label(const Format& format, const uint8_t* record, const fs::path& path, int64_t index) {
  for (size_t i = 0; i < format.label_bounds.size(); ++i) {
    if (record[i] >= format.label_bounds[i]) {
      throw DataError(concat(path.string(), ": record ", index, ": ",
                             i + 1 < format.label_bounds.size() ? "coarse label " : "label ", int{record[i]},
                             ", expected 0 to ", format.label_bounds[i] - 1,
                             "; the file is damaged or another data set's"));
    }
  }
  return record[format.label_bounds.size() - 1];
}

void planes_to_pixels(const uint8_t* planes, uint8_t* pixels) {
  for (int64_t i = 0; i < kPlane; ++i) {
    pixels[3 * i] = planes[i];
    pixels[3 * i + 1] = planes[kPlane + i];
    pixels[3 * i + 2] = planes[2 * kPlane + i];
  }
}

/// Reads the first `count` records of `path` into place.
void read_records(const Format& format, const fs::path& path, int64_t count, uint8_t* pixels, int32_t* labels) {
  InputFile in(path.string(), FileOf::data);
  const int64_t record = format.record();
  std::vector<uint8_t> buffer(static_cast<size_t>(64 * record));
  for (int64_t begin = 0; begin < count; begin += 64) {
    const int64_t records = std::min<int64_t>(64, count - begin);
    const auto bytes = static_cast<size_t>(records * record);
    if (in.read(buffer.data(), bytes) < bytes) {
      throw DataError(concat(path.string(), ": cannot be read at record ", begin, "; check the disk and permissions"));
    }
    for (int64_t i = 0; i < records; ++i) {
      const uint8_t* source = buffer.data() + i * record;
      labels[begin + i] = read_label(format, source, path, begin + i);
      planes_to_pixels(source + format.label_bounds.size(), pixels + (begin + i) * kImage);
    }
  }
}

std::shared_ptr<Dataset> load(const Format& format, const fs::path& folder, const std::vector<std::string>& files,
                              const std::optional<int64_t>& limit, const std::vector<std::string>& classes) {
  int64_t total = 0;
  std::vector<int64_t> counts;
  for (const std::string& file : files) total += counts.emplace_back(count_records(folder / file, format.record()));
  total = limited(total, limit);
  std::vector<uint8_t> pixels(static_cast<size_t>(total * kImage));
  std::vector<int32_t> labels(static_cast<size_t>(total));
  int64_t done = 0;
  for (size_t i = 0; i < files.size() && done < total; ++i) {
    const int64_t count = std::min(counts[i], total - done);
    read_records(format, folder / files[i], count, pixels.data() + done * kImage, labels.data() + done);
    done += count;
  }
  DatasetInfo info = format.info;
  relabel(info, labels, classes);
  return std::make_shared<MemoryDataset>(std::move(info), std::move(pixels), std::move(labels));
}

DatasetPair open(const Format& format, const OpenRequest& request) {
  std::vector<fs::path> folders;
  for (const std::string& folder : format.folders) folders.push_back(request.root / folder);
  folders.push_back(request.root);
  std::vector<std::string> files = format.train;
  files.insert(files.end(), format.val.begin(), format.val.end());
  const fs::path folder =
      find_folder(format.info.name, folders, files,
                  concat("Download https://www.cs.toronto.edu/~kriz/", format.archive, " and unpack it into ",
                         request.root.string(), ", or name its folder with --data-dir or NTQ_DATA_DIR."));
  const DatasetOptions& o = request.options;
  return {load(format, folder, format.train, o.limit_train, o.class_names),
          load(format, folder, format.val, o.limit_val, o.class_names)};
}

}  // namespace

DatasetPair open_cifar10(const OpenRequest& request) { return open(cifar10(), request); }
DatasetPair open_cifar100(const OpenRequest& request) { return open(cifar100(), request); }

}  // namespace ntq
