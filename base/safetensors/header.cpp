#include "base/safetensors/header.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/text.h"

namespace ntq::safetensors {
namespace {

std::string json_string(const std::string& text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    check(false, "safetensors: names and metadata must be UTF-8, found ", in_quotes(text));
  }
  return {};
}

std::string json_entry(const Entry& entry) {
  const std::string sizes = join(entry.sizes, ",");
  return concat(json_string(entry.name), ":{\"dtype\":\"", entry.dtype, "\",\"shape\":[", sizes, "],\"data_offsets\":[",
                entry.begin, ",", entry.end, "]}");
}

}  // namespace

std::string Entry::shape() const { return "{" + join(sizes, ",") + "}"; }

std::string format_header(const Header& header) {
  std::string json = "{";
  if (!header.metadata.empty()) {
    json += concat("\"", kMetadata, "\":{");
    for (const auto& [key, value] : header.metadata) json += json_string(key) + ":" + json_string(value) + ",";
    json.back() = '}';
    json += ',';
  }
  for (const Entry& entry : header.entries) json += json_entry(entry) + ",";
  if (json.size() > 1) json.pop_back();
  json += '}';
  json.resize((json.size() + 7) / 8 * 8, ' ');
  return json;
}

std::vector<size_t> order_by_offset(const std::vector<Entry>& entries) {
  std::vector<size_t> order(entries.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::tie(entries[a].begin, entries[a].end, a) < std::tie(entries[b].begin, entries[b].end, b);
  });
  return order;
}

}  // namespace ntq::safetensors
