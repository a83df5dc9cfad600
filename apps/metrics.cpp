#include "apps/metrics.h"

#include <charconv>
#include <filesystem>

#include "apps/json.h"
#include "apps/text.h"
#include "base/atomic_file.h"
#include "base/input_file.h"
#include "base/text.h"

namespace ntq::apps {
namespace {

std::string read_or_empty(const std::string& path) { return std::filesystem::exists(path) ? read_text_file(path) : ""; }

/// Complete lines whose epoch is in [1, last]; `epoch_of` gives 0 for a line that is no row.
template <class EpochOf>
std::string rows_up_to(const std::string& text, int64_t last, EpochOf epoch_of) {
  std::string kept;
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string line = text.substr(begin, end - begin);
    const int64_t epoch = epoch_of(line);
    if (epoch >= 1 && epoch <= last) kept += line + '\n';
  }
  return kept;
}

int64_t csv_epoch(const std::string& line) {
  int64_t epoch = 0;
  std::from_chars(line.data(), line.data() + line.size(), epoch);
  return epoch;
}

int64_t json_epoch(const std::string& line) {
  const Json json = parse_json_or_null(line);
  if (!json.is_object() || !json.contains("epoch") || !json["epoch"].is_number_integer()) return 0;
  return json["epoch"].get<int64_t>();
}

}  // namespace

std::vector<std::pair<std::string, std::string>> EpochRow::columns() const {
  std::vector<std::pair<std::string, std::string>> out = {{"epoch", std::to_string(epoch)},
                                                          {"train_loss", fixed(train_loss, 6)},
                                                          {"train_top1", fixed(train_top1, 4)},
                                                          {"val_loss", fixed(val.loss(), 6)},
                                                          {"val_top1", fixed(val.top1_percent(), 4)},
                                                          {"val_top5", fixed(val.top5_percent(), 4)},
                                                          {"lr", general(lr)},
                                                          {"mean_step", general(quant.step)},
                                                          {"mean_error", general(quant.error)},
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

MetricsFiles::MetricsFiles(const std::string& folder, int64_t finished_epochs) : folder_(folder) {
  const std::string csv = read_or_empty(folder + "/metrics.csv");
  const std::string rows = rows_up_to(csv, finished_epochs, csv_epoch);
  if (!rows.empty()) csv_ = csv.substr(0, csv.find('\n') + 1) + rows;
  jsonl_ = rows_up_to(read_or_empty(folder + "/metrics.jsonl"), finished_epochs, json_epoch);
  if (!csv.empty()) write();
}

void MetricsFiles::add(const EpochRow& row) {
  const auto columns = row.columns();
  if (csv_.empty()) csv_ = join(columns, ",", [](const auto& column) { return column.first; }) + '\n';
  csv_ += join(columns, ",", [](const auto& column) { return column.second; }) + '\n';
  jsonl_ += row.json() + '\n';
  write();
}

void MetricsFiles::write() const {
  write_file_atomically(folder_ + "/metrics.csv", csv_);
  write_file_atomically(folder_ + "/metrics.jsonl", jsonl_);
}

}  // namespace ntq::apps
