#include <nlohmann/json.hpp>

#include "base/crc32.h"
#include "base/safetensors/header.h"

namespace ntq::safetensors {
namespace {

/// Names, types, shapes and the other metadata in one canonical text: independent of order and place in the file, so
/// that a copy made by another program passes too.
std::string checksum_of_header(const Header& header) {
  nlohmann::json tensors = nlohmann::json::object();
  for (const Entry& e : header.entries) tensors[e.name] = {e.dtype, nlohmann::json(e.sizes)};
  std::map<std::string, std::string> metadata = header.metadata;
  metadata.erase(kChecksums);
  const std::string text = nlohmann::json{{"metadata", metadata}, {"tensors", tensors}}.dump();
  return checksum(text.data(), text.size());
}

nlohmann::json make_table(const Header& header, const std::vector<std::string>& sums) {
  nlohmann::json table = {{kMetadata, checksum_of_header(header)}};
  for (size_t i = 0; i < sums.size(); ++i) table[header.entries[i].name] = sums[i];
  return table;
}

}  // namespace

std::string checksum(const void* data, size_t bytes) {
  Crc32 sum;
  sum.add(data, bytes);
  return sum.text();
}

std::string checksum_table(const Header& header, const std::vector<std::string>& sums) {
  return make_table(header, sums).dump();
}

void verify_checksums(const std::string& table, const Header& header, const std::vector<std::string>& sums,
                      const std::string& file) {
  const nlohmann::json stored = nlohmann::json::parse(table, nullptr, false);
  if (!stored.is_object()) damaged(file, "metadata ", kChecksums, " is no JSON object");
  const nlohmann::json computed = make_table(header, sums);
  for (const auto& [name, sum] : computed.items()) {
    const auto found = stored.find(name);
    if (found == stored.end()) damaged(file, "metadata ", kChecksums, " has no checksum of ", in_quotes(name));
    if (*found != sum) {
      damaged(file, name == kMetadata ? "names, shapes and metadata have" : "tensor " + in_quotes(name) + " has",
              " checksum ", sum.get<std::string>(), ", expected ",
              in_quotes(found->is_string() ? found->get<std::string>() : "?"));
    }
  }
  for (const auto& [name, sum] : stored.items()) {
    if (!computed.contains(name)) damaged(file, "tensor ", in_quotes(name), " has a checksum but is missing");
  }
}

}  // namespace ntq::safetensors
