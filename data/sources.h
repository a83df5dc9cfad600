#pragma once
// The data sets that open_dataset() knows, one opener each. For the registry and tests.
#include <algorithm>
#include <filesystem>

#include "data/dataset.h"

namespace ntq {

struct OpenRequest {
  std::filesystem::path root;   ///< searched for the standard folder names
  DatasetOptions options = {};  ///< what was asked for
};

DatasetPair open_cifar10(const OpenRequest& request);
DatasetPair open_cifar100(const OpenRequest& request);
DatasetPair open_fashion_mnist(const OpenRequest& request);
DatasetPair open_imagenet(const OpenRequest& request);
DatasetPair open_folder(const OpenRequest& request);
DatasetPair open_synthetic(const OpenRequest& request);

/// `count`, or `limit` when that is given and smaller.
inline int64_t limited(int64_t count, const std::optional<int64_t>& limit) {
  return std::min(count, limit.value_or(count));
}

}  // namespace ntq
