#pragma once
// The convolutions of the models that the library knows.
#include <string>
#include <vector>

#include "engine/backend/cuda/cudnn/problem.h"
#include "models/model.h"

namespace ntq::test {

/// What a model is trained and evaluated on: images of `size` x `size`.
struct Use {
  Stem stem = Stem::cifar;
  int64_t size = 32, classes = 100;
  int64_t training_batch = 128, evaluation_batch = 1000;
};

/// What a step of training asks of convolutions, in order, and then what an evaluated batch does.
std::vector<cudnn::Problem> problems_of(const std::string& model, const Use& use);
/// Each once, in the order in which they come.
std::vector<cudnn::Problem> without_repeats(const std::vector<cudnn::Problem>& problems);

}  // namespace ntq::test
