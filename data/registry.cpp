// Data sets by name. A new one: its opener in sources.h and a line in the table below.
#include <cstdlib>

#include "data/sources.h"
#include "engine/check.h"

namespace ntq {
namespace {

struct Entry {
  const char* name;
  DatasetPair (*open)(const OpenRequest&);
};

constexpr Entry kEntries[] = {
    {"cifar10", open_cifar10},   {"cifar100", open_cifar100}, {"fashion-mnist", open_fashion_mnist},
    {"imagenet", open_imagenet}, {"folder", open_folder},     {"synthetic", open_synthetic},
};

/// A data set with another normalisation.
class Normalised final : public Dataset {
 public:
  Normalised(std::shared_ptr<Dataset> inner, const DatasetOptions& options)
      : inner_(std::move(inner)), info_(inner_->info()) {
    const auto given = [](const std::array<float, 3>& values) { return values != std::array<float, 3>{}; };
    if (given(options.mean)) info_.mean = options.mean;
    if (given(options.deviation)) info_.deviation = options.deviation;
  }
  int64_t size() const override { return inner_->size(); }
  Sample get(int64_t index) const override { return inner_->get(index); }
  int32_t load(int64_t index, const LoadContext& context, float* out) const override {
    return inner_->load(index, context, out);
  }
  const DatasetInfo& info() const override { return info_; }

 private:
  std::shared_ptr<Dataset> inner_;
  DatasetInfo info_;
};

std::string data_root(const std::string& dir) {
  if (!dir.empty()) return dir;
  const char* variable = std::getenv("NTQ_DATA_DIR");
  return variable != nullptr && *variable != '\0' ? variable : "./datasets";
}

}  // namespace

DatasetPair open_dataset(const std::string& name, const std::string& dir, int64_t limit_train, int64_t limit_val) {
  DatasetOptions options;
  options.dir = dir, options.limit_train = limit_train, options.limit_val = limit_val;
  return open_dataset(name, options);
}

DatasetPair open_dataset(const std::string& name, const DatasetOptions& options) {
  check(options.limit_train >= 0 && options.limit_val >= 0,
        "open_dataset: limits are image counts >= 0 (0: all), found ", options.limit_train, " and ", options.limit_val);
  std::string known;
  for (const Entry& entry : kEntries) {
    if (name == entry.name) {
      DatasetPair pair = entry.open({data_root(options.dir), options.limit_train, options.limit_val, options});
      if (options.mean != std::array<float, 3>{} || options.deviation != std::array<float, 3>{}) {
        if (pair.train) pair.train = std::make_shared<Normalised>(pair.train, options);
        pair.val = std::make_shared<Normalised>(pair.val, options);
      }
      return pair;
    }
    known += concat(known.empty() ? "" : ", ", entry.name);
  }
  check(false, "unknown data set '", name, "', expected one of ", known);
  return {};
}

std::vector<std::string> dataset_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kEntries) names.emplace_back(entry.name);
  return names;
}

}  // namespace ntq
