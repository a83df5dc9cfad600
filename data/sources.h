#pragma once
// The data sets that open_dataset() knows, one opener each. For the registry and tests.
#include <filesystem>

#include "data/dataset.h"

namespace ntq {

struct OpenRequest {
  std::filesystem::path root;              ///< searched for the standard folder names
  int64_t limit_train = 0, limit_val = 0;  ///< > 0: keep only so many images
  DatasetOptions options = {};             ///< what else was asked for
};

DatasetPair open_cifar10(const OpenRequest& request);
DatasetPair open_cifar100(const OpenRequest& request);
DatasetPair open_fashion_mnist(const OpenRequest& request);
DatasetPair open_imagenet(const OpenRequest& request);
DatasetPair open_folder(const OpenRequest& request);
DatasetPair open_synthetic(const OpenRequest& request);

/// `count`, or `limit` when that is smaller and not 0.
inline int64_t limited(int64_t count, int64_t limit) { return limit > 0 && limit < count ? limit : count; }

}  // namespace ntq
