#include "apps/metrics.h"

#include <filesystem>

#include "apps/json.h"
#include "apps/text.h"
#include "base/atomic_file.h"
#include "base/input_file.h"

namespace ntq::apps {
namespace {

std::string read_or_empty(const std::string& path) { return std::filesystem::exists(path) ? read_text_file(path) : ""; }

int64_t json_epoch(const std::string& line) {
  const Json json = parse_json_or_null(line);
  if (!json.is_object() || !json.contains("epoch") || !json["epoch"].is_number_integer()) return 0;
  return json["epoch"].get<int64_t>();
}

}  // namespace

Columns EpochRow::columns() const {
  Columns out = {{"epoch", std::to_string(epoch)},
                 {"train_loss", fixed(train_loss, 6)},
                 {"train_top1", fixed(train_top1, 4)},
                 {"val_loss", fixed(val.loss(), 6)},
                 {"val_top1", fixed(val.top1_percent(), 4)},
                 {"val_top5", fixed(val.top5_percent(), 4)},
                 {"lr", general(lr)},
                 {"mean_step", general(weights.step.value_or(0))},
                 {"mean_error", general(weights.error.value_or(0))},
                 {"images_per_s", fixed(images_per_s, 1)},
                 {"data_wait_s", fixed(data_wait_s, 3)},
                 {"seconds", fixed(seconds, 3)}};
  if (ema) {
    out.emplace_back("ema_val_loss", fixed(ema->loss(), 6));
    out.emplace_back("ema_val_top1", fixed(ema->top1_percent(), 4));
    out.emplace_back("ema_val_top5", fixed(ema->top5_percent(), 4));
  }
  return out;
}

std::string EpochRow::json() const {
  std::string out;
  for (const auto& [name, value] : columns()) {
    // JSON has no nan and no inf.
    const bool finite = value.find('n') == std::string::npos;
    out += (out.empty() ? "{\"" : ", \"") + name + "\": " + (finite ? value : "null");
  }
  return out + "}";
}

MetricsFiles::MetricsFiles(const std::string& folder, int64_t finished_epochs)
    : folder_(folder), csv_(folder + "/metrics.csv", finished_epochs) {
  const std::string before = read_or_empty(folder + "/metrics.jsonl");
  jsonl_ = rows_up_to(before, finished_epochs, json_epoch);
  if (jsonl_ != before) write_jsonl();
}

void MetricsFiles::add(const EpochRow& row) {
  csv_.add(row.columns());
  csv_.write();
  jsonl_ += row.json() + '\n';
  write_jsonl();
}

void MetricsFiles::write_jsonl() const { write_file_atomically(folder_ + "/metrics.jsonl", jsonl_); }

}  // namespace ntq::apps
