#include <algorithm>
#include <bit>
#include <numeric>
#include <unordered_set>

#include "engine/backend/registry.h"
#include "engine/serialize.h"
#include "engine/serialize/atomic_file.h"
#include "engine/serialize/safetensors_header.h"

namespace ntq {
namespace {

using namespace safetensors;

Tensor on_cpu(const Tensor& tensor) {
  if (tensor.device().type == DeviceType::cpu) return tensor;
  Tensor copy = Tensor::empty(tensor.shape(), tensor.dtype());
  backend_for(tensor.device()).copy(copy.raw(), tensor.raw(), tensor.bytes());
  return copy;
}

/// Wide elements first, else as given: each tensor then starts at a multiple of its element size, which readers that
/// map the file need.
std::vector<size_t> data_order(const NamedTensors& tensors) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return dtype_size(tensors[a].second.dtype()) > dtype_size(tensors[b].second.dtype());
  });
  return order;
}

Header make_header(const TensorFile& file, const std::vector<size_t>& order) {
  Header header;
  header.metadata = file.metadata;
  header.metadata.erase(kChecksums);
  for (const auto& [name, tensor] : file.tensors) {
    Entry& entry = header.entries.emplace_back();
    const auto sizes = tensor.shape().sizes();
    entry.name = name;
    entry.dtype = dtype_name(tensor.dtype());
    entry.sizes.assign(sizes.begin(), sizes.end());
  }
  uint64_t next = 0;
  for (const size_t i : order) {
    header.entries[i].begin = next;
    next += file.tensors[i].second.bytes();
    header.entries[i].end = next;
  }
  return header;
}

}  // namespace

void save_tensors(const std::string& path, const TensorFile& file) {
  std::unordered_set<std::string> names;
  for (const auto& [name, tensor] : file.tensors) {
    check(tensor.defined(), "save_tensors: tensor ", in_quotes(name), " is undefined");
    check(name != kMetadata && names.insert(name).second, "save_tensors: tensor name ", in_quotes(name),
          " is reserved or given twice");
  }
  const std::vector<size_t> order = data_order(file.tensors);
  Header header = make_header(file, order);
  (void)format_header(header);  // refuses text that is not UTF-8, which the checksums of the header cannot take

  std::vector<std::string> sums;
  for (const auto& [name, tensor] : file.tensors) {
    const Tensor values = on_cpu(tensor);
    sums.push_back(checksum(values.raw(), values.bytes()));
  }
  header.metadata[kChecksums] = checksum_table(header, sums);
  const std::string text = format_header(header);
  check(text.size() <= kMaxHeaderBytes, "save_tensors: names and metadata take ", text.size(), " bytes, at most ",
        kMaxHeaderBytes, " are allowed");

  AtomicFile out(path);
  const auto length = static_cast<uint64_t>(text.size());
  out.write(&length, sizeof length);
  out.write(text.data(), text.size());
  for (const size_t i : order) {
    const Tensor values = on_cpu(file.tensors[i].second);
    out.write(values.raw(), values.bytes());
  }
  out.commit();
}

void check_writable(const std::string& path) { const AtomicFile file(path); }

void write_file_atomically(const std::string& path, std::string_view text) {
  AtomicFile out(path);
  out.write(text.data(), text.size());
  out.commit();
}

}  // namespace ntq
