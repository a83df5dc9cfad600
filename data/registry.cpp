// Data sets by name. A new one: its opener in sources.h and a line in the table below.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "data/sources.h"

namespace ntq {
namespace {

struct Source {
  const char* name;
  DatasetPair (*open)(const OpenRequest&);
};

constexpr Source kEntries[] = {
    {"cifar10", open_cifar10},   {"cifar100", open_cifar100}, {"fashion-mnist", open_fashion_mnist},
    {"imagenet", open_imagenet}, {"folder", open_folder},     {"synthetic", open_synthetic},
};

/// A data set with another normalisation.
class Normalised final : public Dataset {
 public:
  Normalised(std::shared_ptr<Dataset> inner, const DatasetOptions& options)
      : inner_(std::move(inner)), info_(inner_->info()) {
    info_.mean = options.mean.value_or(info_.mean);
    info_.deviation = options.deviation.value_or(info_.deviation);
  }
  int64_t size() const override { return inner_->size(); }
  Sample get(int64_t index) const override { return inner_->get(index); }
  int32_t load(int64_t index, const LoadContext& context, float* out) const override {
    return inner_->load(index, context, out);
  }
  const DatasetInfo& info() const override { return info_; }
  std::string fingerprint() const override { return inner_->fingerprint(); }

 private:
  std::shared_ptr<Dataset> inner_;
  DatasetInfo info_;
};

std::string data_root(const std::optional<std::string>& dir) {
  if (dir) return *dir;
  const char* variable = std::getenv("NTQ_DATA_DIR");
  return variable != nullptr && *variable != '\0' ? variable : "./datasets";
}

void check_options(const DatasetOptions& o) {
  for (const auto& limit : {o.limit_train, o.limit_val}) {
    check(!limit || *limit >= 1, "open_dataset: limits are image counts of 1 or more, found ", limit.value_or(0));
  }
  for (const auto& path : {o.dir, o.val_labels}) {
    check(!path || !path->empty(), "open_dataset: the name of the data folder or of the list of labels is empty");
  }
  const auto finite = [](float value) { return std::isfinite(value); };
  if (o.mean) check(std::all_of(o.mean->begin(), o.mean->end(), finite), "open_dataset: the mean is not finite");
  for (const float value : o.deviation.value_or(std::array<float, 3>{1, 1, 1})) {
    check(finite(value) && value > 0, "open_dataset: a deviation is ", value, ", expected above 0");
  }
}

}  // namespace

DatasetPair open_dataset(const std::string& name, std::optional<std::string> dir, std::optional<int64_t> limit_train,
                         std::optional<int64_t> limit_val) {
  DatasetOptions options;
  options.dir = std::move(dir), options.limit_train = limit_train, options.limit_val = limit_val;
  return open_dataset(name, options);
}

DatasetPair open_dataset(const std::string& name, const DatasetOptions& options) {
  check_options(options);
  for (const Source& entry : kEntries) {
    if (name == entry.name) {
      DatasetPair pair = entry.open({data_root(options.dir), options});
      if (options.mean || options.deviation) {
        if (pair.train) pair.train = std::make_shared<Normalised>(pair.train, options);
        pair.val = std::make_shared<Normalised>(pair.val, options);
      }
      return pair;
    }
  }
  check(false, "unknown data set '", name, "', expected one of ", join(dataset_names()));
  return {};
}

std::vector<std::string> dataset_names() {
  std::vector<std::string> names;
  for (const Source& entry : kEntries) names.emplace_back(entry.name);
  return names;
}

}  // namespace ntq
