#include <algorithm>
#include <numeric>
#include <unordered_set>

#include "base/atomic_file.h"
#include "base/safetensors/header.h"
#include "base/stored_type.h"

namespace ntq::safetensors {
namespace {

const StoredType& type_of(const Entry& entry) {
  const size_t type = find_stored_type(entry.dtype);
  check(type < kStoredTypes.size(), "safetensors: tensor ", in_quotes(entry.name), " has type ", in_quotes(entry.dtype),
        ", which the format does not know");
  return kStoredTypes[type];
}

/// Wide elements first, else as given: each tensor then starts at a multiple of its element size, which readers that
/// map the file need.
std::vector<size_t> data_order(const std::vector<Entry>& entries) {
  std::vector<size_t> order(entries.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return type_of(entries[a]).bytes > type_of(entries[b]).bytes; });
  return order;
}

uint64_t bytes_of(const Entry& entry) {
  const StoredType& type = type_of(entry);
  const auto elements = count_elements(entry.sizes);
  check(elements && *elements % type.elements == 0, "safetensors: tensor ", in_quotes(entry.name), ": ", entry.dtype,
        " ", entry.shape(), " is no whole number of bytes");
  return *elements / type.elements * type.bytes;
}

}  // namespace

void write(const std::string& path, Header header, const std::function<const void*(size_t i)>& values) {
  std::unordered_set<std::string> names;
  for (const Entry& entry : header.entries) {
    check(entry.name != kMetadata && names.insert(entry.name).second, "safetensors: tensor name ",
          in_quotes(entry.name), " is reserved or given twice");
  }
  const std::vector<size_t> order = data_order(header.entries);
  uint64_t next = 0;
  for (const size_t i : order) {
    header.entries[i].begin = next;
    header.entries[i].end = next += bytes_of(header.entries[i]);
  }
  header.metadata.erase(kChecksums);
  (void)format_header(header);  // refuses text that is not UTF-8, which the checksums of the header cannot take

  std::vector<std::string> sums;
  for (size_t i = 0; i < header.entries.size(); ++i) sums.push_back(checksum(values(i), header.entries[i].bytes()));
  header.metadata[kChecksums] = checksum_table(header, sums);
  const std::string text = format_header(header);
  check(text.size() <= kMaxHeaderBytes, "safetensors: names and metadata take ", text.size(), " bytes, at most ",
        kMaxHeaderBytes, " are allowed");

  AtomicFile out(path);
  const auto length = static_cast<uint64_t>(text.size());
  out.write(&length, sizeof length);
  out.write(text.data(), text.size());
  for (const size_t i : order) out.write(values(i), header.entries[i].bytes());
  out.commit();
}

}  // namespace ntq::safetensors
