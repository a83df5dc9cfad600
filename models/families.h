#pragma once
// The families that make_model knows; one line each.
#include <functional>

#include "models/model.h"

namespace ntq {

using ModelBuilder = std::function<std::shared_ptr<Module>(const ModelOptions&)>;
using ModelList = std::map<std::string, ModelBuilder>;

ModelList resnet_cifar_models();
ModelList resnet_models();
ModelList wide_resnet_models();

}  // namespace ntq
