// ntq-predict: what a network sees in image files.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <numeric>

#include "apps/command.h"
#include "apps/deploy.h"
#include "apps/device_choice.h"
#include "apps/image_files.h"
#include "apps/json.h"
#include "apps/streams.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/printable.h"
#include "engine/autograd.h"
#include "engine/backend/cpu_settings.h"
#include "infer/model.h"
#include "infer/ntqi.h"
#include "train/deployed.h"

using namespace ntq;
using namespace ntq::apps;

namespace {

struct PredictOptions {
  std::string model;
  std::vector<std::string> images;
  std::optional<std::string> data_dir;
  std::optional<int64_t> threads;
  std::string device = "cpu";
  int64_t top = 5, batch_size = 32;
  bool json = false;
};

bool parse(int argc, char** argv, PredictOptions& o) {
  CLI::App app(
      "Classify images: the most probable classes of each. JPEG, PNG, BMP and WebP, prepared as in training:\n"
      "photographs are cropped, a network for small images (CIFAR) reads those of its size alone. An image that\n"
      "cannot be read is named, the others are classified, and the exit code is 3. On the CPU a network computes as\n"
      "it ships, its quantized layers in integers; on a GPU a checkpoint does in float32.");
  app.add_option("MODEL", o.model, "a .ntqi file, or a last.bin or best.bin")->required()->type_name("");
  app.add_option("IMAGE", o.images, "image files, or folders of them")
      ->required()
      ->type_name("")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--top", o.top, "classes of each image [5]")->type_name("N");
  app.add_option("--batch-size", o.batch_size, "images at a time [32]")->type_name("N");
  app.add_option("--threads", o.threads, "threads that decode and compute [one per core]")->type_name("N");
  add_device_option(app, o.device);
  app.add_option("--data-dir", o.data_dir, "data set of a checkpoint that does not say how images were prepared")
      ->type_name("DIR");
  app.add_flag("--json", o.json, "one JSON object on stdout, all else on stderr");
  if (!parse_or_answer(app, argc, argv)) return false;
  const auto in_range = [](const char* name, int64_t value, int64_t most) {
    if (value < 1 || value > most) throw UsageError(concat(name, ": expected 1 to ", most, ", found ", value));
  };
  in_range("--top", o.top, 1 << 20);
  in_range("--batch-size", o.batch_size, 4096);
  in_range("--threads", o.threads.value_or(1), 1024);
  return true;
}

struct Guess {
  int64_t index;
  double probability;
};

/// The `top` most probable classes, of equal ones the first.
std::vector<Guess> best_of(const float* logits, int64_t classes, int64_t top) {
  std::vector<Guess> all;
  const auto largest = static_cast<double>(*std::max_element(logits, logits + classes));
  double sum = 0;
  for (int64_t c = 0; c < classes; ++c) {
    all.push_back({c, std::exp(static_cast<double>(logits[c]) - largest)});
    sum += all.back().probability;
  }
  for (Guess& guess : all) guess.probability /= sum;
  std::stable_sort(all.begin(), all.end(),
                   [](const Guess& a, const Guess& b) { return a.probability > b.probability; });
  all.resize(static_cast<size_t>(std::min(top, classes)));
  return all;
}

class Report {
 public:
  Report(const PredictOptions& options, const infer::Model& model, Console& console)
      : o_(options), model_(model), console_(console) {}

  void guesses(const std::string& file, const std::vector<Guess>& guesses) {
    if (o_.json) {
      Json top = Json::array();
      for (const Guess& g : guesses) {
        top.push_back({{"class", name_of(g.index)}, {"index", g.index}, {"probability", g.probability}});
      }
      images_.push_back({{"image", file}, {"top", std::move(top)}});
      return;
    }
    console_.clear_progress();
    std::cout << printable(file) << '\n';
    for (const Guess& g : guesses) {
      const std::string percent = fixed(100 * g.probability, 2);
      std::cout << std::string(8 - std::min<size_t>(percent.size(), 8), ' ') << percent << "%  "
                << printable(name_of(g.index)) << '\n';
    }
  }

  void bad(const std::string& file, const std::string& why, bool alone) {
    first_ = bad_++ == 0 ? why : first_;
    if (!alone) console_.warn("left out: " + why);
    if (o_.json) images_.push_back({{"image", file}, {"error", why}});
  }

  void end(size_t files) {
    const int code = bad_ == 0 ? 0 : DataError("").exit_code();
    if (o_.json) {
      print_json({{"model", o_.model}, {"images", std::move(images_)}, {"left_out", bad_}}, code);
    }
    if (bad_ == 0) return;
    throw DataError(files == 1 ? first_ : concat(bad_, " of ", files, " images could not be read"));
  }

 private:
  std::string name_of(int64_t index) const {
    const auto& names = model_.graph().classes;
    return static_cast<size_t>(index) >= names.size() ? concat("class ", index) : names[static_cast<size_t>(index)];
  }

  const PredictOptions& o_;
  const infer::Model& model_;
  Console& console_;
  Json images_ = Json::array();
  size_t bad_ = 0;
  std::string first_;
};

/// Logits of the first `count` images.
using Classifier = std::function<void(const std::vector<uint8_t>& images, int64_t count, float* logits)>;

/// As it ships, on the CPU.
Classifier deployed(const infer::Model& model, int64_t batch) {
  const auto work = std::make_shared<infer::Workspace>(model, batch, cpu_parallel());
  return [&model, work](const std::vector<uint8_t>& images, int64_t count, float* logits) {
    model.run(images.data(), count, logits, *work);
  };
}

/// As it was trained, on the module's device.
Classifier trained(const infer::Model& model, const std::shared_ptr<Module>& module, Device device) {
  module->to(device);
  return [&model, module, device](const std::vector<uint8_t>& images, int64_t count, float* logits) {
    const NoGrad no_grad;
    const Tensor out = module->forward(normalised(model, images, count).to(device)).to(Device());
    std::copy_n(out.f32(), out.numel(), logits);
  };
}

void run(const PredictOptions& o) {
  Console console(false, true);  // stdout has the answers alone
  if (o.threads) set_cpu_threads(static_cast<int>(*o.threads));
  const DeviceChoice device =
      infer::is_ntqi(o.model) ? choose_cpu(o.device, "a .ntqi file is a network of integers") : choose_device(o.device);
  if (o.device != "cpu") print_device(console, device);
  Network network = open_network(o.model, Images::as_trained, o.data_dir, console);
  const NetworkImage input = network_image(network.graph, o.model);
  const std::vector<std::string> files = image_files(o.images);
  const infer::Model model(std::move(network.graph), o.model);
  const auto batch = std::min(files.size(), static_cast<size_t>(o.batch_size));
  const Classifier classify = is_cpu(device.device.str()) ? deployed(model, static_cast<int64_t>(batch))
                                                          : trained(model, network.trained, device.device);
  network.trained.reset();
  Report report(o, model, console);
  const auto start = std::chrono::steady_clock::now();
  const int64_t classes = model.classes();
  std::vector<float> logits(batch * static_cast<size_t>(classes));
  for (size_t first = 0; first < files.size(); first += batch) {
    const size_t count = std::min(batch, files.size() - first);
    const ReadImages images = read_images(files, first, count, input);
    if (images.good > 0) classify(images.pixels, images.good, logits.data());
    const float* of = logits.data();
    if (!std::all_of(of, of + images.good * classes, [](float v) { return std::isfinite(v); })) {
      throw CheckpointError(o.model + ": the network's outputs are not finite numbers; its weights are damaged");
    }
    for (size_t i = 0; i < count; ++i) {
      if (!images.errors[i].empty()) {
        report.bad(files[first + i], images.errors[i], files.size() == 1);
        continue;
      }
      report.guesses(files[first + i], best_of(of, classes, o.top));
      of += classes;
    }
    if (!std::cout.flush()) return note_failed_write(stdout);  // a full disk, or nobody who reads on
    const size_t done = first + count;
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const std::string speed = fixed(static_cast<double>(done) / seconds, 0) + " images/s";
    console.progress(concat(bar(static_cast<double>(done) / static_cast<double>(files.size()), 20), " ", done, "/",
                            files.size(), ", ", speed));
    if (done == files.size() && done > batch) console.line(concat(done, " images, ", speed));
  }
  console.clear_progress();
  report.end(files.size());
}

}  // namespace

int main(int argc, char** argv) {
  return run_command(argc, argv, [&] {
    PredictOptions options;
    if (parse(argc, argv, options)) run(options);
  });
}
