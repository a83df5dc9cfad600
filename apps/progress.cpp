#include "apps/progress.h"

#include <algorithm>

#include "apps/text.h"
#include "base/check.h"
#include "engine/backend/registry.h"

namespace ntq::apps {

void ProgressReport::start_epoch() {
  epoch_start_ = Clock::now();
  epoch_images_ = 0;
}

std::string ProgressReport::where() const { return concat("epoch ", s_.progress.epoch + 1, "/", s_.config.epochs); }

double ProgressReport::seconds_left() const {
  const Progress& p = s_.progress;
  const double step = (all_train_seconds_ + since(epoch_start_)) / static_cast<double>(steps_);
  const auto steps = static_cast<double>(s_.schedule.steps_per_epoch * s_.config.epochs - s_.global_step());
  // Before the first validation: a forward pass costs about a third of a step.
  const double guess = step / 3 * static_cast<double>(s_.val_loader->batches_per_epoch());
  const double validation = validation_seconds_ < 0 ? guess : validation_seconds_;
  return steps * step + static_cast<double>(s_.config.epochs - p.epoch) * validation;
}

void ProgressReport::step(const StepScore& score) {
  left_out("", s_.train_loader->bad_images(), warned_);
  epoch_images_ += score.images;
  ++steps_;
  const Progress& p = s_.progress;
  const int64_t of = s_.schedule.steps_per_epoch;
  const bool logs = score.step % s_.config.log_interval == 0 || score.step == of;
  if (!logs && !console_.live()) return;
  const double seconds = since(epoch_start_);
  const std::string speed = fixed(static_cast<double>(epoch_images_) / seconds, 0);
  const std::string wait = fixed(100 * s_.train_loader->wait_seconds() / seconds, 1) + "%";
  const std::string left = duration(seconds_left());
  const size_t held = backend_for(s_.device.device).bytes_held();
  const std::string memory = held > 0 ? bytes_text(static_cast<double>(held)) : "";
  if (console_.live()) {  // fits 80 columns
    const double part = static_cast<double>(score.step) / static_cast<double>(of);
    console_.progress(concat(where(), " ", bar(part, held > 0 ? 3 : 10), " ", score.step, "/", of, " loss ",
                             fixed(score.loss, 3), " ", speed, " img/s wait ", wait, held > 0 ? " " + memory : "",
                             " left ", left));
  }
  if (!logs) return;
  const std::string line =
      concat(where(), "  step ", score.step, "/", of, "  loss ", fixed(score.loss, 4), "  mean ",
             fixed(p.loss_sum / static_cast<double>(std::max<int64_t>(p.seen, 1)), 4), "  ", speed,
             " images/s  data wait ", wait, held > 0 ? "  device memory " + memory : "", "  left ", left);
  console_.live() ? console_.log(line) : console_.line(line);
}

void ProgressReport::left_out(const char* what, const std::vector<std::string>& messages, size_t& warned) {
  for (; warned < messages.size(); ++warned) {
    console_.warn(concat(what, "left out, ", warned + 1, " so far: ", messages[warned]));
  }
}

void ProgressReport::end_training() {
  train_seconds_ = since(epoch_start_);
  all_train_seconds_ += train_seconds_;
  wait_seconds_ = s_.train_loader->wait_seconds();
}

void ProgressReport::validation(int64_t done, int64_t of) {
  left_out("validation image ", s_.val_loader->bad_images(), warned_validation_);
  const double part = static_cast<double>(done) / static_cast<double>(of);
  console_.progress(concat(where(), " ", bar(part, 10), " validation ", done, "/", of));
}

void ProgressReport::fill_times(EpochRow& row) const {
  row.images_per_s = train_seconds_ > 0 ? static_cast<double>(epoch_images_) / train_seconds_ : 0;
  row.data_wait_s = wait_seconds_;
  row.seconds = since(epoch_start_);
}

void ProgressReport::epoch(const EpochRow& row) {
  validation_seconds_ = row.seconds - train_seconds_;
  if (s_.config.quantized() && row.val.arithmetic != arithmetic_) {
    arithmetic_ = row.val.arithmetic;
    console_.line("validation: " + arithmetic_);
  }
  std::string text =
      concat("epoch ", row.epoch, "/", s_.config.epochs, "  train loss ", fixed(row.train_loss, 4), "  top-1 ",
             fixed(row.train_top1, 2), "%  |  val loss ", fixed(row.val.loss(), 4), "  top-1 ",
             fixed(row.val.top1_percent(), 2), "%  top-5 ", fixed(row.val.top5_percent(), 2), "%");
  if (row.ema) text += "  average: top-1 " + fixed(row.ema->top1_percent(), 2) + "%";
  text += "  |  lr " + general(row.lr, 4);
  if (s_.config.quantizes(Side::weights)) {
    text += "  mean step " + general(row.weights.step.value_or(0), 4) + "  mean |Q(w)-w| " +
            general(row.weights.error.value_or(0), 4);
  }
  text += concat("  |  ", fixed(row.images_per_s, 0), " images/s  data wait ", fixed(row.data_wait_s, 1), "s  ",
                 duration(row.seconds), row.best ? "  best" : "");
  console_.line(text);
}

}  // namespace ntq::apps
