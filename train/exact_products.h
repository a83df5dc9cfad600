#pragma once
// What a network scores is that of float32, in whatever way its training multiplies.
#include "engine/backend/registry.h"
#include "train/step.h"

namespace ntq {

/// While it lives, the model's device multiplies float32 as float32.
class ExactProducts {
 public:
  explicit ExactProducts(const Module& model)
      : backend_(backend_for(device_of(model))), in_training_(backend_.products()) {
    backend_.use_products(Products::float32);
  }
  ~ExactProducts() { backend_.use_products(in_training_); }
  ExactProducts(const ExactProducts&) = delete;
  ExactProducts& operator=(const ExactProducts&) = delete;

 private:
  Backend& backend_;
  Products in_training_;
};

}  // namespace ntq
