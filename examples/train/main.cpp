// ntq as a library: a 4-bit network is trained, stopped and gone on with, and evaluated.
//   train CHECKPOINT [--data-dir DIR] [--weights FILE.safetensors] [--stop-after STEPS]
// Goes on with CHECKPOINT where it is there. Without a folder of data it trains on images made in code.
#include <cstdio>
#include <exception>
#include <map>
#include <string>

#include "models/model.h"
#include "optim/sgd.h"
#include "train/calibrate.h"
#include "train/checkpoint.h"
#include "train/loop.h"
#include "train/weights.h"

namespace {

/// CIFAR-10's where a folder is given, else images made in code.
ntq::DatasetPair data_of(const std::string& dir) {
  return dir.empty() ? ntq::open_dataset("synthetic", {}, 128, 64) : ntq::open_dataset("cifar10", dir);
}

/// The whole of a training. `weights`: a file of timm's, ours or "" that a new one starts from; `stop`: asked each
/// step.
void run(const std::string& checkpoint, const ntq::DatasetPair& data, const std::string& weights,
         const std::function<bool()>& stop) {
  const ntq::QuantSpec lsq4{.method = "lsq", .bits = 4};
  ntq::Training t;
  t.model = ntq::make_model("resnet20", {.weight = lsq4, .activation = lsq4});
  t.optimizer = std::make_unique<ntq::Sgd>(t.model->parameters(), ntq::SgdOptions{.nesterov = true});
  t.schedule = {.lr = 0.01f, .epochs = 2};
  ntq::set_data(t, data, {.batch_size = 32});

  if (!ntq::resume(t, checkpoint)) {
    if (!weights.empty()) ntq::import_weights(*t.model, weights);
    ntq::calibrate_steps(*t.model, *t.train_loader);
  }
  const auto save = [&] { ntq::save_checkpoint(checkpoint, t); };
  ntq::train(t, {.save = save, .stop = stop}, {.epoch = [](const ntq::EpochScores& e) {
               std::printf("epoch %d: loss %.4f, top-1 %.2f%%\n", int(e.epoch), e.train_loss, e.val.top1_percent());
             }});

  const ntq::Scores scores = ntq::evaluate(*t.model, *t.val_loader);
  std::printf("loss %.4f, top-1 %.2f%%\n", scores.loss(), scores.top1_percent());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::map<std::string, std::string> given;
    for (int i = 2; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
    if (argc < 2 || argc % 2 != 0) throw std::invalid_argument("usage: train CHECKPOINT [--option value] ...");
    int64_t left = given.contains("--stop-after") ? std::stoll(given["--stop-after"]) : -1;
    run(argv[1], data_of(given["--data-dir"]), given["--weights"], [&] { return left >= 0 && left-- == 1; });
    return 0;
  } catch (const ntq::TrainingStopped&) {
    std::puts("stopped and saved; the same command goes on");
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
