#include "engine/serialize.h"

#include <optional>
#include <span>

#include "base/check.h"
#include "base/printable.h"
#include "base/text.h"

namespace ntq {
namespace {

TensorFile read_tensors(safetensors::Reader& reader) {
  const auto& entries = reader.header().entries;
  std::vector<Tensor> tensors(entries.size());
  reader.read_values([&](size_t i) -> void* {
    if (!readable(entries[i])) return nullptr;
    const Shape shape(std::span<const int64_t>(entries[i].sizes));
    tensors[i] = Tensor::empty(shape, *find_dtype(entries[i].dtype));
    return tensors[i].bytes() > 0 ? tensors[i].raw() : nullptr;
  });
  TensorFile file;
  file.metadata = reader.header().metadata;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (tensors[i].defined()) {
      file.tensors.emplace_back(entries[i].name, std::move(tensors[i]));
    } else {
      file.skipped.push_back(entries[i]);
    }
  }
  return file;
}

}  // namespace

void save_tensors(const std::string& path, const TensorFile& file) {
  safetensors::Header header;
  header.metadata = file.metadata;
  for (const auto& [name, tensor] : file.tensors) {
    check(tensor.defined(), "save_tensors: tensor ", in_quotes(name), " is undefined");
    const auto sizes = tensor.shape().sizes();
    header.entries.push_back({name, std::string(dtype_name(tensor.dtype())), {sizes.begin(), sizes.end()}});
  }
  Tensor values;  // kept while its bytes are written
  safetensors::write(path, std::move(header), [&](size_t i) -> const void* {
    values = file.tensors[i].second.to(Device());
    return values.raw();
  });
}

TensorFile load_tensors(const std::string& path) {
  safetensors::Reader reader(path);
  return read_tensors(reader);
}

safetensors::Header load_header(const std::string& path) { return safetensors::Reader(path).header(); }

TensorFile parse_tensors(std::string_view bytes, const std::string& name) {
  safetensors::Reader reader(bytes, name);
  return read_tensors(reader);
}

bool readable(const safetensors::Entry& entry) {
  return find_dtype(entry.dtype).has_value() && entry.sizes.size() <= static_cast<size_t>(Shape::kMaxRank);
}

const Tensor& TensorFile::at(const std::string& name) const {
  constexpr size_t kNamed = 10;
  for (const auto& [own, tensor] : tensors) {
    if (own == name) return tensor;
  }
  for (const safetensors::Entry& entry : skipped) {
    if (entry.name != name) continue;
    throw CheckpointError(
        concat("tensor ", in_quotes(name), " is ", entry.dtype, " ", entry.shape(), ", which cannot be read"));
  }
  throw CheckpointError(concat("no tensor ", in_quotes(name), " in the file; it holds ", tensors.size(), ": ",
                               join_first(tensors, kNamed, [](const auto& named) { return in_quotes(named.first); })));
}

}  // namespace ntq
