#include "apps/train_loop.h"

#include "apps/checkpoint.h"
#include "apps/metrics.h"
#include "apps/progress.h"
#include "apps/signals.h"
#include "apps/step_tables.h"
#include "base/check.h"
#include "train/loop.h"

namespace ntq::apps {
namespace {

/// What to do about bad data, once last.bin is written. Repaired files are other data than the run began with.
DataError after_saving(const DataError& e, const Session& s, const RunFolder& run) {
  return DataError(concat(e.what(), "; the ", s.progress.step, " steps of epoch ", s.progress.epoch + 1,
                          " so far are saved. Go on with: ntq-train --resume ", run.path,
                          " (with --allow-data-change if you repaired or removed files)"));
}

}  // namespace

void train_run(Session& s, const RunFolder& run, Console& console, Profile* profile) {
  catch_stop_signals();  // until here there was nothing to save
  MetricsFiles metrics(run.path, s.progress.epoch);
  StepTables tables(s, run);
  ProgressReport report(s, console);
  const LoopOptions options{.loss = s.loss,
                            .save =
                                [&] {
                                  tables.write();
                                  save_run(run.file("last.bin"), s);
                                },
                            .save_every = s.config.save_every,
                            .stop = [] { return stop_signal() != 0; },
                            .bn_recalibrate = s.config.bn_recalibrate};
  LoopEvents events;
  events.start = [&] {
    report.start_epoch();
    if (profile) profile->begin_training();
  };
  events.updated = [&] { tables.updated(); };
  events.step = [&](const StepScore& score) {
    if (profile) profile->end_step();
    tables.step(score);
    report.step(score);
  };
  events.trained = [&] {
    report.end_training();
    if (profile) profile->begin_validation();
  };
  events.validation = [&](int64_t done, int64_t of) { report.validation(done, of); };
  events.epoch = [&](const EpochScores& scores) {
    const std::vector<WeightFigures> layers = s.statistics ? s.statistics->now() : weight_figures(*s.model);
    EpochRow row{scores, weight_means(layers)};
    report.fill_times(row);
    if (scores.best) save_run(run.file("best.bin"), s);
    metrics.add(row);
    tables.epoch(scores.epoch, layers);
    report.epoch(row);
  };
  try {
    train(s, options, events);
  } catch (const TrainingStopped&) {
    throw Error(concat("interrupted in epoch ", s.progress.epoch + 1, " after step ", s.progress.step,
                       "; saved. Go on with: ntq-train --resume ", run.path),
                128 + stop_signal());
  } catch (const DataError& e) {
    throw after_saving(e, s, run);
  } catch (const DivergedError& e) {
    throw DivergedError(concat(e.what(), "; the last good checkpoint is ", run.file("last.bin"),
                               "; try a lower --lr or --warmup-epochs"));
  }
}

}  // namespace ntq::apps
