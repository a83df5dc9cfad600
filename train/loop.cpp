#include "train/loop.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "quant/tree.h"
#include "train/calibrate.h"
#include "train/divergence.h"

namespace ntq {
namespace {

template <class Event, class... Args>
void tell(const Event& event, const Args&... args) {
  if (event) event(args...);
}

/// The weight average in the model's place.
class Swapped {
 public:
  explicit Swapped(WeightAverage& average) : average_(average) { average_.swap(); }
  ~Swapped() { average_.swap(); }
  Swapped(const Swapped&) = delete;
  Swapped& operator=(const Swapped&) = delete;

 private:
  WeightAverage& average_;
};

class Loop {
 public:
  Loop(Training& training, const LoopOptions& options, const LoopEvents& events)
      : t_(training),
        p_(training.progress),
        o_(options),
        events_(events),
        results_(steps_read_at_once(), [this](const StepScore& s) { take(s); }) {}

  void epoch() {
    EpochScores scores;
    try {
      steps();
      scores = sums();
      validate(scores);
    } catch (const LoadInterrupted&) {
      stop();
    }
    const double top1 = !t_.val_loader ? scores.train_top1 : scores.ema.value_or(scores.val).top1_percent();
    scores.best = p_.best_epoch == 0 || top1 > p_.best_top1;
    p_ = Progress{.epoch = scores.epoch,
                  .best_top1 = scores.best ? top1 : p_.best_top1,
                  .best_epoch = scores.best ? scores.epoch : p_.best_epoch};
    tell(events_.epoch, scores);
    // Last of all: a crash before it repeats the epoch, with the same results.
    tell(o_.save);
  }

 private:
  int64_t steps_read_at_once() const {
    if (o_.read_every > 0) return o_.read_every;
    const auto parameters = t_.model->parameters();
    return parameters.empty() || parameters[0].value.on_host() ? 1 : 16;
  }

  /// Once said, it stands: half a validation must not pass for a whole one.
  bool asked_to_stop() {
    stopped_ = stopped_ || (o_.stop && o_.stop());
    return stopped_;
  }

  /// Every loss up to here is finite, or this throws.
  void save() {
    results_.read();
    tell(o_.save);
  }

  [[noreturn]] void stop() {
    save();
    throw TrainingStopped();
  }

  std::string place(int64_t step) const { return concat("epoch ", p_.epoch + 1, ", step ", step, ": "); }

  void take(const StepScore& score) {
    if (!std::isfinite(score.loss)) {  // on a CPU train_step() has told
      throw DivergedError(concat(place(score.step), "the loss is not a number, seen after step ", p_.step,
                                 "; first: ", first_not_finite(*t_.model)));
    }
    p_.loss_sum += score.loss * static_cast<double>(score.images);
    p_.correct += score.correct;
    p_.seen += score.images;
    tell(events_.step, score);
  }

  /// The next batch. Whatever keeps it from coming (a wish to stop, bad images, no memory), the steps so far are saved.
  std::optional<Batch> next_batch() {
    try {
      return t_.train_loader->next();
    } catch (const LoadInterrupted&) {
      throw;  // epoch() saves
    } catch (...) {
      save();
      throw;
    }
  }

  /// The rest of the epoch that the progress stands in.
  void steps() {
    t_.model->train();
    t_.train_loader->start(p_.epoch, p_.step);
    tell(events_.start);
    const int64_t before = p_.step;
    const Quantizers quantizers(*t_.model);
    while (const auto batch = next_batch()) {
      step(*batch, quantizers);
      if (asked_to_stop()) stop();
      if (o_.save_every > 0 && t_.global_step() % o_.save_every == 0) save();
    }
    // Validation may fail, for one bad image say: not at the price of the epoch.
    if (p_.step > before) save();
    tell(events_.trained);
  }

  void step(const Batch& batch, const Quantizers& quantizers) {
    StepResult result;
    set_progress(quantizers, static_cast<double>(t_.global_step()) /
                                 static_cast<double>(t_.schedule.epochs * t_.schedule.steps_per_epoch));
    const float rate = t_.schedule.at(t_.global_step()), highest = t_.schedule.lr;
    set_rate(quantizers, {.value = rate, .share = highest > 0 ? std::min(rate / highest, 1.0f) : 1.0f});
    try {
      // Without a single good image there is nothing to learn from; the step counts all the same.
      result = train_step(*t_.model, *t_.optimizer, batch, o_.loss, rate, t_.activations);
    } catch (const DivergedError& e) {
      throw DivergedError(place(p_.step + 1) + e.what());
    }
    if (t_.ema && result.images > 0) t_.ema->update();
    p_.step += 1;
    tell(events_.updated);
    results_.add(p_.step, std::move(result));
  }

  EpochScores sums() const {
    const auto seen = static_cast<double>(std::max<int64_t>(p_.seen, 1));
    return {.epoch = p_.epoch + 1,
            .train_loss = p_.loss_sum / seen,
            .train_top1 = 100.0 * static_cast<double>(p_.correct) / seen,
            .lr = static_cast<double>(t_.schedule.at((p_.epoch + 1) * t_.schedule.steps_per_epoch - 1)),
            .val = {}};
  }

  /// Of the model, and of the weight average when there is one. Changes no state that training depends on: a stopped
  /// run goes on right behind the last step.
  void validate(EpochScores& scores) {
    if (!t_.val_loader) return;
    t_.optimizer->zero_grad();  // as the next step does: validation has their memory
    scores.val = score();
    if (t_.ema && !asked_to_stop()) {
      const Swapped average(*t_.ema);
      scores.ema = score();
    }
    if (asked_to_stop()) stop();
    if (std::isfinite(scores.val.loss())) return;
    const std::string where = first_not_finite(*t_.model);
    if (where.empty()) return;
    throw DivergedError(
        concat("epoch ", scores.epoch, ", validation: the validation loss is not a number; first: ", where));
  }

  Scores score() {
    if (o_.bn_recalibrate > 0) recalibrate_norms(*t_.model, *t_.train_loader, o_.bn_recalibrate);
    return evaluate(*t_.model, *t_.val_loader, [this](int64_t done, int64_t of) {
      tell(events_.validation, done, of);
      return !asked_to_stop();
    });
  }

  Training& t_;
  Progress& p_;
  const LoopOptions& o_;
  const LoopEvents& events_;
  StepResults results_;
  bool stopped_ = false;
};

}  // namespace

void train(Training& training, const LoopOptions& options, const LoopEvents& events) {
  Loop loop(training, options, events);
  while (training.progress.epoch < training.schedule.epochs) loop.epoch();
}

}  // namespace ntq
