// ntq as a library: a 4-bit network is trained, evaluated, stopped and gone on with.
//   train CHECKPOINT [--data-dir DIR] [--weights FILE.safetensors] [--stop-after STEPS]
// Goes on with CHECKPOINT where it is there. Without a folder of data it trains on images made in code.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <string>

#include "models/model.h"
#include "optim/sgd.h"
#include "train/calibrate.h"
#include "train/checkpoint.h"
#include "train/loop.h"
#include "train/weights.h"

namespace {

using Options = std::map<std::string, std::string>;

void run(const std::string& checkpoint, const Options& given) {
  const ntq::DatasetPair data = given.contains("--data-dir") ? ntq::open_dataset("cifar10", given.at("--data-dir"))
                                                             : ntq::open_dataset("synthetic", {}, 128, 64);
  const ntq::QuantSpec lsq4{.method = "lsq", .bits = 4};

  ntq::Training t;
  t.model = ntq::make_model("resnet20", {.weight = lsq4, .activation = lsq4});
  t.optimizer = std::make_unique<ntq::Sgd>(t.model->parameters(), ntq::SgdOptions{.nesterov = true});
  t.schedule = {.lr = 0.01f, .epochs = 2};
  ntq::set_data(t, data, {.batch_size = 32});
  if (std::filesystem::exists(checkpoint)) {
    ntq::restore(t, ntq::load_checkpoint(checkpoint), checkpoint);
  } else {
    if (given.contains("--weights")) ntq::import_weights(*t.model, given.at("--weights"));
    ntq::calibrate_steps(*t.model, *t.train_loader, 1);
  }

  int64_t left = given.contains("--stop-after") ? std::stoll(given.at("--stop-after")) : -1;
  ntq::train(t,
             {.save = [&] { ntq::save_checkpoint(checkpoint, t); }, .stop = [&] { return left >= 0 && left-- == 1; }},
             {.epoch = [](const ntq::EpochScores& e) {
               std::printf("epoch %d: loss %.4f, top-1 %.2f%%\n", int(e.epoch), e.train_loss, e.val.top1_percent());
             }});
  std::printf("top-1 %.2f%%\n", ntq::evaluate(*t.model, *t.val_loader).top1_percent());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Options given;
    for (int i = 2; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
    if (argc < 2 || argc % 2 != 0) throw std::invalid_argument("usage: train CHECKPOINT [--option value] ...");
    run(argv[1], given);
    return 0;
  } catch (const ntq::TrainingStopped&) {
    std::puts("stopped and saved; the same command goes on");
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
