#include "apps/metrics.h"

#include <doctest/doctest.h>

#include <limits>

#include <nlohmann/json.hpp>
#include "tests/apps/tools.h"

using namespace ntq::apps;
using namespace ntq::test;

namespace {

EpochRow row(int64_t epoch) {
  EpochRow out;
  out.epoch = epoch;
  out.train_loss = 1.5;
  out.val.top1 = 1, out.val.images = 2;
  out.lr = 0.01;
  return out;
}

constexpr const char* kHeading =
    "epoch,train_loss,train_top1,val_loss,val_top1,val_top5,lr,mean_step,mean_error,images_per_s,data_wait_s,seconds\n";

}  // namespace

TEST_CASE("both files hold one row per epoch under stable names") {
  const TempFolder folder;
  MetricsFiles files(folder.str(), 0);
  files.add(row(1));
  files.add(row(2));
  CHECK(read_file(folder / "metrics.csv") ==
        std::string(kHeading) + "1,1.500000,0.0000,0.000000,50.0000,0.0000,0.01,0,0,0.0,0.000,0.000\n" +
            "2,1.500000,0.0000,0.000000,50.0000,0.0000,0.01,0,0,0.0,0.000,0.000\n");
  const std::string jsonl = read_file(folder / "metrics.jsonl");
  const auto first = nlohmann::json::parse(jsonl.substr(0, jsonl.find('\n')));
  CHECK(first["epoch"] == 1);
  CHECK(first["val_top1"] == 50.0);
  CHECK(first.size() == 12);
}

TEST_CASE("a resumed run keeps the rows of finished epochs only") {
  const TempFolder folder;
  {
    MetricsFiles files(folder.str(), 0);
    for (int64_t epoch = 1; epoch <= 3; ++epoch) files.add(row(epoch));
  }
  const std::string csv = read_file(folder / "metrics.csv"), jsonl = read_file(folder / "metrics.jsonl");
  write_file(folder / "metrics.csv", csv + "4,1.2");  // torn
  write_file(folder / "metrics.jsonl", jsonl + "{\"epoch\": 4");
  MetricsFiles files(folder.str(), 2);
  CHECK(lines_of(read_file(folder / "metrics.csv")) == 3);
  CHECK(lines_of(read_file(folder / "metrics.jsonl")) == 2);
  files.add(row(3));
  CHECK(read_file(folder / "metrics.csv") == csv);
  CHECK(read_file(folder / "metrics.jsonl") == jsonl);
}

TEST_CASE("a resume before the first epoch drops every row") {
  const TempFolder folder;
  MetricsFiles(folder.str(), 0).add(row(1));
  MetricsFiles files(folder.str(), 0);
  CHECK(read_file(folder / "metrics.jsonl").empty());
  files.add(row(1));
  CHECK(lines_of(read_file(folder / "metrics.csv")) == 2);
}

TEST_CASE("the average adds columns; numbers that are not finite stay valid JSON") {
  EpochRow r = row(1);
  r.ema = ntq::Scores{};
  r.val.loss_sum = std::numeric_limits<double>::infinity();
  r.lr = std::numeric_limits<double>::quiet_NaN();
  const auto json = nlohmann::json::parse(r.json());
  CHECK(json["val_loss"].is_null());
  CHECK(json["lr"].is_null());
  CHECK(json.contains("ema_val_top1"));
  CHECK(json.size() == 15);
}
