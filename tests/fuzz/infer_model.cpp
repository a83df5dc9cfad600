// Any bytes as a `.ntqi` file: a model that runs, or a CheckpointError of one line; as they are, and with checksums
// that hold, so that what stands behind them is reached.
#include "infer/model.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "base/safetensors.h"
#include "infer/ntqi.h"
#include "tests/fuzz/input_file.h"

namespace {

/// Nothing where the bytes are no safetensors file.
std::string with_checksums(std::string_view bytes) {
  ntq::safetensors::Reader reader(bytes, "input");
  const ntq::safetensors::Header& header = reader.header();
  std::vector<std::string> values(header.entries.size());
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  for (size_t i = 0; i < values.size(); ++i) {
    const auto& entry = header.entries[i];
    values[i] =
        bytes.substr(static_cast<size_t>(sizeof length + length + entry.begin), static_cast<size_t>(entry.bytes()));
  }
  const auto path = ntq::fuzz::folder() / "sums.ntqi";
  ntq::safetensors::write(path, header, [&](size_t i) { return values[i].data(); });
  return ntq::test::read_file(path);
}

/// Products and values of an image.
int64_t work_of(const ntq::infer::Model& model) {
  int64_t work = model.image().size();
  for (size_t i = 0; i < model.shapes().size(); ++i) {
    const auto& node = model.graph().nodes[i];
    const int64_t each = node.has_weights() ? node.weights.taps() : node.kernel * node.kernel;
    if (__builtin_add_overflow(work, model.shapes()[i].size() * each, &work)) return INT64_MAX;
  }
  return work;
}

void load_and_run(const std::string& bytes) {
  const auto model = ntq::infer::Model::parse(bytes, "input");
  if (work_of(model) > 10'000'000) return;
  ntq::infer::Workspace workspace(model, 2);
  const std::vector<uint8_t> images(static_cast<size_t>(2 * model.image().size()), 200);
  std::vector<float> logits(static_cast<size_t>(2 * model.classes()));
  model.run(images.data(), 2, logits.data(), workspace);
  const auto path = ntq::fuzz::folder() / "again.ntqi";
  ntq::infer::write_ntqi(path, ntq::infer::parse_ntqi(bytes, "input"));
}

template <class Call>
void expect_error_at_most(Call call) {
  try {
    call();
  } catch (const ntq::CheckpointError& error) {
    if (std::string(error.what()).find('\n') != std::string::npos) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  expect_error_at_most([&] { load_and_run(bytes); });
  std::string whole;
  try {
    whole = with_checksums(bytes);
  } catch (const ntq::CheckpointError&) {
    return 0;
  } catch (const std::invalid_argument&) {  // names that cannot be written
    return 0;
  }
  expect_error_at_most([&] { load_and_run(whole); });
  return 0;
}
