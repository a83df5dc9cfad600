#include "apps/eval_options.h"

#include <CLI/CLI.hpp>

#include "apps/device_choice.h"

namespace ntq::apps {

void add_eval_options(CLI::App& app, const char* what, EvalOptions& o) {
  app.add_option("CHECKPOINT", o.checkpoint, what)->required()->type_name("");
  app.add_option("--dataset", o.dataset, "another data set [the checkpoint's]")->type_name("NAME");
  app.add_option("--model", o.model, "of a safetensors file of others")->type_name("NAME");
  app.add_option("--stem", o.stem, "of such a file: cifar, imagenet, or auto [auto]")->type_name("NAME");
  app.add_option("--data-dir", o.data_dir, "where the data sets lie [$NTQ_DATA_DIR, else ./datasets]")
      ->type_name("DIR");
  app.add_option("--aug", o.aug, "photographs' crops: paper or field [the checkpoint's]")->type_name("NAME");
  app.add_option("--image-size", o.image_size, "side of those crops [the checkpoint's]")->type_name("N");
  app.add_option("--mean", o.mean, "of each channel [the checkpoint's, else the data set's]")->type_name("R,G,B");
  app.add_option("--std", o.std, "deviation of each channel, likewise")->type_name("R,G,B");
  app.add_option("--val-labels", o.val_labels, "labels of a val folder without class folders")->type_name("FILE");
  app.add_option("--max-bad-images", o.max_bad_images, "images that may be left out [0]")->type_name("N");
  app.add_option("--limit-val", o.limit_val, "use only the first N images")->type_name("N");
  app.add_option("--batch-size", o.batch_size, "images at a time [128]")->type_name("N");
  app.add_option("--workers", o.workers, "loader threads [1; photographs: one per core]")->type_name("N");
  add_device_option(app, o.device);
  app.add_option("--threads", o.threads, "compute threads [one per core]")->type_name("N");
  app.add_flag("--ema", o.average, "the averaged weights: the default where there are any (--model-ema)");
  app.add_flag("--raw", o.raw, "the weights themselves, not their average");
  app.add_flag("--allow-data-change", o.allow_data_change, "take labels by number though the class names are others");
  app.add_flag("--json", o.json, "one JSON object on stdout, all else on stderr");
}

}  // namespace ntq::apps
