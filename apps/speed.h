#pragma once
// How fast a network runs, as it was trained and as it is deployed, side by side.
#include <optional>
#include <vector>

#include "engine/module.h"
#include "infer/model.h"

namespace ntq::apps {

struct SpeedOptions {
  int64_t batch = 1;
  int threads = 1;  ///< of the CPU backend from then on
  int rounds = 7;
  double seconds = 0.1;  ///< each round, each form
  Device device = {};    ///< where the trained module is; the deployed form runs on the CPU
};

struct Speed {
  std::optional<double> trained = {};  ///< images per second of the module's forward pass, in float32
  double deployed = 0;                 ///< of infer::Model::run()
  double fastest = 0;  ///< the same in the fastest of all calls, which says most of the kernels on a shared machine
  int64_t arena = 0;   ///< bytes of the workspace
};

/// Medians over the rounds, in which the two forms take turns. `images`: {any number, H, W, C}, taken in turn.
/// `trained` may be null; it has to be in evaluation.
Speed measure_speed(const infer::Model& model, Module* trained, const std::vector<uint8_t>& images,
                    const SpeedOptions& options);

/// Multiplications and additions of the convolutions and linear layers for one image.
double operations(const infer::Model& model);

}  // namespace ntq::apps
