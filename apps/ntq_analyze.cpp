// ntq-analyze: what a trained network's surroundings and layers are like.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>

#include "apps/analyses.h"
#include "apps/command.h"
#include "apps/report/file_sum.h"
#include "apps/text.h"
#include "base/check.h"
#include "engine/backend/cpu_settings.h"
#include "engine/serialize.h"
#include "infer/ntqi.h"
#include "quant/tree.h"

using namespace ntq;
using namespace ntq::apps;

namespace {

using Clock = std::chrono::steady_clock;

const std::map<std::string, Answer (*)(const AnalysisInput&)> kAnswers = {
    {"sharpness", answer_sharpness},     {"landscape", answer_landscape}, {"hessian", answer_hessian},
    {"sensitivity", answer_sensitivity}, {"noise", answer_noise},         {"histograms", answer_histograms}};

/// A line on a terminal: the pass over the data, and the time that is left if no analysis ends early.
class PassProgress {
 public:
  PassProgress(Console& console, int64_t passes) : console_(console), passes_(passes) {}
  void operator()(int64_t done, int64_t of) {
    ++batches_;
    const int64_t all = passes_ * of, pass = (batches_ - 1) / of + 1;
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    const double left =
        seconds / static_cast<double>(batches_) * static_cast<double>(std::max<int64_t>(all - batches_, 0));
    console_.progress(concat("pass ", pass, " of at most ", passes_, " ",
                             bar(static_cast<double>(done) / static_cast<double>(of), 10), " ", done, "/", of,
                             "  left at most ", duration(left)));
  }

 private:
  Console& console_;
  int64_t passes_, batches_ = 0;
  Clock::time_point start_ = Clock::now();
};

void check_subject(const AnalyzeOptions& o, Module& model) {
  const Quantizers quantizers(model);
  const bool weights =
      std::any_of(quantizers.begin(), quantizers.end(), [](const Quantizer* q) { return q->spec().is_weight; });
  if ((o.analysis == "sensitivity" && quantizers.size() == 0) || (o.analysis == "noise" && !weights)) {
    throw CheckpointError(concat(o.subject.checkpoint, ": ", o.analysis, " needs ",
                                 o.analysis == "noise" ? "quantized weights" : "a quantized network",
                                 ", found full precision; train one with --bits"));
  }
  for (const Quantizer* q : quantizers) {
    if (q->ready()) continue;
    throw CheckpointError(concat(o.subject.checkpoint, ": ", q->spec().name, " has no step yet; train it first"));
  }
}

/// The file, so that a reader of the answer can tell whether it is of the checkpoint that lies there now.
Json identity_of(const std::string& path) {
  Json out = {{"checkpoint", path}};
  const auto metadata = load_header(path).metadata;
  if (const auto found = metadata.find("ntq.epoch"); found != metadata.end()) {
    const std::string& text = found->second;
    int64_t epoch = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), epoch);
    if (error == std::errc() && end == text.data() + text.size()) out["epoch"] = epoch;
  }
  out["crc32"] = file_crc32(path);
  return out;
}

void run(AnalyzeOptions o) {
  Console console(false, o.subject.json);
  if (infer::is_ntqi(o.subject.checkpoint)) {
    throw CheckpointError(o.subject.checkpoint +
                          ": a packed network has no float weights to analyze; give the checkpoint it was made from");
  }
  Subject subject = open_subject(o.subject, console);
  Json json = o.subject.json ? identity_of(o.subject.checkpoint) : Json();  // the file may change while this runs
  const TrainConfig& config = subject.config;
  if (o.subject.threads) set_cpu_threads(static_cast<int>(*o.subject.threads));
  check_subject(o, *subject.model);
  const bool trains = o.analysis == "noise";
  const auto& data = trains || o.on_train ? subject.data.train : subject.data.val;
  if (!data) throw DataError(config.dataset + ": no training images, only a val folder is there");
  console.headline(
      concat(o.analysis, " of ", config.model, " on ", config.dataset, ", ", subject.precision, subject.title));
  print_device(console, subject.device);
  const LoaderOptions options = loader_options(config, subject.device.device);
  DataLoader loader(data, trains ? options : in_order(options));
  PassProgress progress(console, most_passes(o, *subject.model));
  const auto start = Clock::now();
  const Answer answer =
      kAnswers.at(o.analysis)({o, subject, loader, [&](int64_t done, int64_t of) { progress(done, of); }});
  console.clear_progress();
  for (const std::string& bad : loader.bad_images()) console.warn("left out: " + bad);
  console.block(answer.text);
  for (const std::string& remark : answer.remarks) console.line(remark);
  const char* const split = trains || o.on_train ? "training" : "validation";
  console.line(concat(data->size(), " ", split, " images, ",
                      duration(std::chrono::duration<double>(Clock::now() - start).count())));
  if (!o.subject.json) return;
  json.update({{"analysis", o.analysis},
               {"dataset", config.dataset},
               {"model", config.model},
               {"split", split},
               {"images", data->size()},
               {"batch_size", config.batch_size},
               {"seed", o.seed}});
  json.update(answer.json);
  print_json(json);
}

}  // namespace

int main(int argc, char** argv) {
  return run_command(argc, argv, [&] {
    AnalyzeOptions options;
    if (parse_analyze(argc, argv, options)) run(std::move(options));
  });
}
