#include "apps/profile_report.h"

#include <algorithm>
#include <numeric>

#include "apps/json.h"
#include "apps/text.h"
#include "base/check.h"

namespace ntq::apps {
namespace {

/// Rows, longest first.
std::vector<size_t> by_time(const std::vector<ProfileRow>& rows) {
  std::vector<size_t> order(rows.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return rows[a].seconds > rows[b].seconds; });
  return order;
}

struct Sums {
  double training = 0, validation = 0;
};

Sums sums_of(const std::vector<ProfileRow>& rows) {
  Sums sums;
  for (const ProfileRow& row : rows) (row.phase == "validation" ? sums.validation : sums.training) += row.seconds;
  return sums;
}

std::string percent(double part, double of) { return of > 0 ? fixed(100 * part / of, 1) + "%" : "-"; }
std::string giga(double amount, double seconds) {
  return amount > 0 && seconds > 0 ? fixed(amount / seconds / 1e9, 1) : "-";
}

std::string limits_text(const MachineLimits& l) {
  if (l.copy == 0) return "limits     not known for this device";
  const auto limit = [](double value) { return value > 0 ? fixed(value, 0) : std::string("-"); };
  return concat("limits     float32 multiply-adds ", limit(l.fma), " GFLOP/s, bfloat16 dots ", limit(l.bf16_dot),
                ", byte dots ", limit(l.byte_dot), "; copies ", fixed(l.copy, 1), " GB/s");
}

}  // namespace

std::string profile_text(const Profile& profile, size_t most) {
  const auto& rows = profile.rows();
  const Sums sums = sums_of(rows);
  std::vector<std::vector<std::string>> cells = {
      {"primitive", "of", "phase", "calls", "ms a call", "seconds", "share", "GFLOP/s", "GB/s", "of limit"}};
  const auto order = by_time(rows);
  for (size_t i = 0; i < std::min(most, order.size()); ++i) {
    const ProfileRow& row = rows[order[i]];
    const double whole = row.phase == "validation" ? profile.validation_seconds() : profile.training_seconds();
    cells.push_back({row.primitive, row.op.empty() ? "-" : row.op, row.phase, std::to_string(row.calls),
                     fixed(1e3 * row.seconds / static_cast<double>(row.calls), 3), fixed(row.seconds, 3),
                     percent(row.seconds, whole), giga(row.flop, row.seconds), giga(row.bytes, row.seconds),
                     row.least_seconds > 0 ? percent(row.least_seconds, row.seconds) : "-"});
  }
  std::string text = concat(
      "Profile: ", profile.steps(), profile.steps() == 1 ? " step in " : " steps in ",
      fixed(profile.training_seconds(), 2), "s, of which ", percent(sums.training, profile.training_seconds()),
      " in primitives; validation ", fixed(profile.validation_seconds(), 2), "s, of which ",
      percent(sums.validation, profile.validation_seconds()), "\n", limits_text(profile.limits()), "\n", table(cells));
  if (order.size() > most) text += concat("and ", order.size() - most, " rows that took less\n");
  return text;
}

Json profile_json(const Profile& profile) {
  const MachineLimits& l = profile.limits();
  const auto known = [](double value) { return value > 0 ? Json(value) : Json(); };
  Json rows = Json::array();
  for (const size_t i : by_time(profile.rows())) {
    const ProfileRow& row = profile.rows()[i];
    rows.push_back({{"primitive", row.primitive},
                    {"op", row.op},
                    {"phase", row.phase},
                    {"calls", row.calls},
                    {"seconds", row.seconds},
                    {"flop", row.flop},
                    {"bytes", row.bytes},
                    {"share_of_limit",
                     row.least_seconds > 0 && row.seconds > 0 ? Json(row.least_seconds / row.seconds) : Json()}});
  }
  return {{"steps", profile.steps()},
          {"training_seconds", profile.training_seconds()},
          {"validation_seconds", profile.validation_seconds()},
          {"limits",
           {{"fma_gflops", known(l.fma)},
            {"bf16_dot_gflops", known(l.bf16_dot)},
            {"byte_dot_gops", known(l.byte_dot)},
            {"copy_gb_per_s", known(l.copy)}}},
          {"rows", rows}};
}

std::string trace_json(const Profile& profile) {
  std::string text = "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [";
  const char* before = "\n";
  const auto add = [&](const std::string& name, const std::string& kind, double begin, double seconds, Json args) {
    const Json event = {{"name", name},         {"cat", kind}, {"ph", "X"}, {"ts", 1e6 * begin},
                        {"dur", 1e6 * seconds}, {"pid", 1},    {"tid", 1},  {"args", std::move(args)}};
    text += before + dump_json(event);
    before = ",\n";
  };
  int64_t step = 0;
  for (const auto& [begin, seconds] : profile.step_times()) add("step", "step", begin, seconds, {{"step", ++step}});
  for (const ProfileEvent& event : profile.events()) {
    const ProfileRow& row = profile.rows()[event.row];
    Json args = {{"phase", row.phase}, {"op", row.op}};
    if (event.layer) args["layer"] = *event.layer;
    if (event.flop > 0) args["GFLOP/s"] = event.flop / event.seconds / 1e9;
    args["GB/s"] = event.bytes / event.seconds / 1e9;
    add(row.primitive, row.phase, event.begin, event.seconds, std::move(args));
  }
  return text + "\n]}\n";
}

}  // namespace ntq::apps
