#include "models/model.h"

#include "base/text.h"
#include "models/families.h"

namespace ntq {
namespace {

const ModelList& models() {
  static const ModelList all = [] {
    ModelList list;
    list.merge(resnet_cifar_models());
    list.merge(resnet_models());
    list.merge(wide_resnet_models());
    return list;
  }();
  return all;
}

}  // namespace

std::shared_ptr<Module> make_model(const std::string& name, const ModelOptions& options) {
  const auto model = models().find(name);
  if (model == models().end()) {
    check(false, "make_model: no model '", name, "'; there are: ", join(model_names()));
  }
  return model->second(options);
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const auto& entry : models()) names.push_back(entry.first);
  return names;
}

}  // namespace ntq
