#include "apps/report/tensorboard.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "apps/run_folder.h"
#include "base/atomic_file.h"
#include "base/check.h"
#include "base/input_file.h"
#include "base/printable.h"

namespace ntq::apps {
namespace {

static_assert(std::endian::native == std::endian::little);

template <class T>
std::string bytes_of_value(T value) {
  std::string out(sizeof value, '\0');
  std::memcpy(out.data(), &value, sizeof value);
  return out;
}

std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 128; value >>= 7) out += static_cast<char>(value | 128);
  return out + static_cast<char>(value);
}

/// Protobuf fields: key = number * 8 + wire type.
std::string text_field(int number, std::string_view content) {
  return varint(static_cast<uint64_t>(number) * 8 + 2) + varint(content.size()) + std::string(content);
}
std::string time_field(double seconds) { return '\x09' + bytes_of_value(seconds); }

std::string masked(std::string_view bytes) {
  const uint32_t c = crc32c(bytes);
  return bytes_of_value(((c >> 15) | (c << 17)) + 0xa282ead8U);
}

/// All columns but `x` of a table, as scalars of step `x`.
std::string table_records(const CsvTable& table, const char* x, const std::string& group, const std::string& layer) {
  std::string out;
  const std::vector<double> at = table.numbers(x), seconds = table.numbers("seconds");
  const std::vector<std::string> layers = table.texts(layer);
  for (size_t column = 0; column < table.names.size(); ++column) {
    const std::string& name = table.names[column];
    if (name == x || name == "epoch" || name == layer) continue;
    const std::vector<double> values = table.numbers(name);
    double time = 0;
    for (size_t row = 0; row < values.size(); ++row) {
      time = seconds.empty() ? at[row] : time + seconds[row];
      if (!std::isfinite(values[row]) || !std::isfinite(at[row])) continue;
      const std::string tag = concat(group, "/", name, layers.empty() ? "" : "/" + layers[row]);
      out += event_record(scalar_event(time, static_cast<int64_t>(at[row]), tag, static_cast<float>(values[row])));
    }
  }
  return out;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static const auto kTable = [] {
    std::array<uint32_t, 256> table{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t c = i;
      for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ ((c & 1) != 0 ? 0x82f63b78U : 0U);
      table[i] = c;
    }
    return table;
  }();
  uint32_t c = ~0U;
  for (const char byte : bytes) c = (c >> 8) ^ kTable[(c ^ static_cast<unsigned char>(byte)) & 255];
  return ~c;
}

std::string event_record(std::string_view data) {
  const std::string length = bytes_of_value(static_cast<uint64_t>(data.size()));
  return length + masked(length) + std::string(data) + masked(data);
}

std::string scalar_event(double time, int64_t step, const std::string& tag, float value) {
  const std::string of_value = text_field(1, tag) + '\x15' + bytes_of_value(value);  // tag 1, simple_value 2
  return time_field(time) + '\x10' + varint(static_cast<uint64_t>(step)) + text_field(5, text_field(1, of_value));
}

std::string event_file(const CsvTable& epochs, const CsvTable& steps, const CsvTable& layers) {
  return event_record(time_field(0) + text_field(3, "brain.Event:2")) + table_records(epochs, "epoch", "epochs", "") +
         table_records(steps, "step", "steps", "") + table_records(layers, "epoch", "layers", "layer");
}

std::string write_events(const std::string& run_path, const std::string& name, const std::string& dir) {
  namespace fs = std::filesystem;
  const RunFolder run{run_path};
  const auto table = [&](const char* file) {
    return run.has(file) ? parse_csv(read_text_file(run.file(file))) : CsvTable();
  };
  const fs::path folder = fs::path(dir) / name;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw CheckpointError(concat(printable(folder.string()), ": cannot be created: ", error.message()));
  const std::string path = (folder / "events.out.tfevents.0.ntq").string();
  write_file_atomically(path, event_file(table("metrics.csv"), table("steps.csv"), table("layers.csv")));
  return path;
}

}  // namespace ntq::apps
