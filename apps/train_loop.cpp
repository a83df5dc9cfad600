// The training loop of ntq-train. All that is random depends on (seed, epoch, image) or on counters in the checkpoint,
// so a run that stops anywhere and goes on from last.bin ends with the same bits.
#include "apps/train_loop.h"

#include <algorithm>
#include <cmath>
#include <csignal>

#include "apps/calibrate.h"
#include "apps/checkpoint.h"
#include "apps/divergence.h"
#include "apps/evaluate.h"
#include "apps/layer_report.h"
#include "apps/metrics.h"
#include "apps/progress.h"
#include "apps/signals.h"
#include "base/check.h"
#include "engine/ops/binary.h"
#include "engine/ops/loss.h"
#include "quant/tree.h"

namespace ntq::apps {
namespace {

[[noreturn]] void save_and_stop(const Session& s, const RunFolder& run, int signal) {
  save_checkpoint(run.file("last.bin"), s);
  throw Error(concat("interrupted in epoch ", s.progress.epoch + 1, " after step ", s.progress.step,
                     "; saved. Go on with: ntq-train --resume ", run.path),
              128 + signal);
}

/// What to do about bad data, once last.bin is written. Repaired files are other data than the run began with.
DataError after_saving(const DataError& e, const Session& s, const RunFolder& run) {
  return DataError(concat(e.what(), "; the ", s.progress.step, " steps of epoch ", s.progress.epoch + 1,
                          " so far are saved. Go on with: ntq-train --resume ", run.path,
                          " (with --allow-data-change if you repaired or removed files)"));
}

/// The next batch. Whatever keeps it from coming (a signal, bad images, no memory), the steps so far are saved first.
std::optional<Batch> next_batch(const Session& s, const RunFolder& run) {
  try {
    return s.train_loader->next();
  } catch (const LoadInterrupted&) {
    save_and_stop(s, run, stop_signal());
  } catch (...) {
    save_checkpoint(run.file("last.bin"), s);
    throw;
  }
}

/// The rest of the epoch that session.progress stands in.
void train_epoch(Session& s, const RunFolder& run, ProgressReport& report) {
  Progress& p = s.progress;
  s.model->train();
  s.train_loader->start(p.epoch, p.step);
  report.start_epoch();
  const int64_t before = p.step;
  while (const auto batch = next_batch(s, run)) {
    report.bad_images(s.train_loader->bad_images());
    const int64_t images = batch->labels.numel();
    // Without a single good image there is nothing to learn from; the step counts all the same.
    const StepResult result = images == 0 ? StepResult{} : train_step(s, *batch, s.schedule.at(s.global_step()));
    p.step += 1;
    p.loss_sum += result.loss * static_cast<double>(images);
    p.correct += result.correct;
    p.seen += images;
    report.step(images, result.loss);
    if (const int signal = stop_signal()) save_and_stop(s, run, signal);
    if (s.config.save_every > 0 && s.global_step() % s.config.save_every == 0) {
      save_checkpoint(run.file("last.bin"), s);
    }
  }
  // Validation may fail, for one bad image say: not at the price of the epoch.
  if (p.step > before) save_checkpoint(run.file("last.bin"), s);
  report.end_training();
}

/// Fills the validation columns: of the model, and of the weight average when there is one.
void validate_epoch(Session& s, const RunFolder& run, ProgressReport& report, EpochRow& row) {
  const auto go_on = [&](int64_t done, int64_t of) {
    report.validation(done, of);
    return stop_signal() == 0;
  };
  const auto score = [&] {
    if (s.config.bn_recalibrate > 0) recalibrate_norms(*s.model, s.config, s.data, s.config.bn_recalibrate);
    const Scores scores = evaluate(*s.model, *s.val_loader, go_on);
    report.bad_validation_images(s.val_loader->bad_images());
    return scores;
  };
  const Scores scores = score();
  Scores average;
  if (s.ema && stop_signal() == 0) {
    s.ema->swap();
    average = score();
    s.ema->swap();
  }
  // Validation changes no state: the run goes on right behind the last training step.
  if (const int signal = stop_signal()) save_and_stop(s, run, signal);
  row.val_loss = scores.loss();
  row.val_top1 = scores.top1_percent();
  row.val_top5 = scores.top5_percent();
  row.has_ema = s.ema != nullptr;
  row.ema_val_loss = average.loss();
  row.ema_val_top1 = average.top1_percent();
  row.ema_val_top5 = average.top5_percent();
  if (!std::isfinite(row.val_loss)) {
    const std::string where = first_not_finite(*s.model, {});
    if (!where.empty()) throw DivergedError("the validation loss is not a number; first: " + where);
  }
}

EpochRow run_epoch(Session& s, const RunFolder& run, ProgressReport& report) {
  train_epoch(s, run, report);
  const Progress& p = s.progress;
  EpochRow row;
  row.epoch = p.epoch + 1;
  const auto seen = static_cast<double>(std::max<int64_t>(p.seen, 1));
  row.train_loss = p.loss_sum / seen;
  row.train_top1 = 100.0 * static_cast<double>(p.correct) / seen;
  row.lr = static_cast<double>(s.schedule.at(row.epoch * s.schedule.steps_per_epoch - 1));
  validate_epoch(s, run, report, row);
  const QuantMeans means = quant_means(report_layers(*s.model));
  row.mean_step = means.step;
  row.mean_error = means.error;
  report.fill_times(row);
  return row;
}

}  // namespace

StepResult train_step(Session& s, const Batch& batch, float lr) {
  s.optimizer->zero_grad();
  set_progress(*s.model, static_cast<double>(s.global_step()) /
                             static_cast<double>(s.config.epochs * s.schedule.steps_per_epoch));
  const Tensor logits = s.model->forward(batch.images);
  Tensor loss = softmax_cross_entropy(logits, batch.labels, static_cast<float>(s.config.smoothing));
  if (const Tensor penalty = quant_penalty(*s.model)) loss = add(loss, penalty);
  const auto value = static_cast<double>(loss.item());
  if (!std::isfinite(value)) {
    throw DivergedError("the loss is not a number; first: " + first_not_finite(*s.model, loss));
  }
  loss.backward();
  s.optimizer->step(lr);
  count_optimizer_step(*s.model);
  if (s.ema) s.ema->update();
  return {value, count_top_k(logits, batch.labels, 1)};
}

void train(Session& s, const RunFolder& run, Console& console) {
  catch_stop_signals();  // until here there was nothing to save
  Progress& p = s.progress;
  MetricsFiles metrics(run.path, p.epoch);
  ProgressReport report(s, console);
  while (p.epoch < s.config.epochs) {
    EpochRow row;
    try {
      row = run_epoch(s, run, report);
    } catch (const LoadInterrupted&) {  // waiting for validation images; last.bin is behind the last step
      save_and_stop(s, run, stop_signal());
    } catch (const DataError& e) {
      throw after_saving(e, s, run);
    } catch (const DivergedError& e) {
      const bool trained = p.step == s.schedule.steps_per_epoch;
      throw DivergedError(concat("epoch ", p.epoch + 1, trained ? ", validation" : concat(", step ", p.step + 1), ": ",
                                 e.what(), "; the last good checkpoint is ", run.file("last.bin"),
                                 "; try a lower --lr or --warmup-epochs"));
    }
    const double top1 = row.has_ema ? row.ema_val_top1 : row.val_top1;
    const bool best = p.best_epoch == 0 || top1 > p.best_top1;
    p = Progress{
        .epoch = row.epoch, .best_top1 = best ? top1 : p.best_top1, .best_epoch = best ? row.epoch : p.best_epoch};
    // last.bin comes last: a crash before it repeats the epoch, with the same results.
    if (best) save_checkpoint(run.file("best.bin"), s);
    metrics.add(row);
    save_checkpoint(run.file("last.bin"), s);
    report.epoch(row, best);
  }
}

}  // namespace ntq::apps
