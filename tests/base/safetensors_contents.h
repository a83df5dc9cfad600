#pragma once
// Safetensors files as their header and the bytes of each entry.
#include "base/safetensors.h"
#include "tests/support/files.h"
#include "tests/support/safetensors.h"
#include "tests/support/text.h"

namespace ntq::test {

struct Contents {
  safetensors::Header header;
  std::vector<std::string> values;
};

inline Contents read_all(safetensors::Reader& reader) {
  Contents all{reader.header(), std::vector<std::string>(reader.header().entries.size())};
  reader.read_values([&](size_t i) {
    all.values[i].resize(static_cast<size_t>(all.header.entries[i].bytes()));
    return all.values[i].data();
  });
  return all;
}

inline Contents contents_of(std::string_view bytes, const std::string& name = "") {
  safetensors::Reader reader(bytes, name);
  return read_all(reader);
}

/// Names, types, shapes and bytes alike, and the metadata.
inline bool same_contents(const Contents& a, const Contents& b) {
  const auto& [x, y] = std::tie(a.header.entries, b.header.entries);
  if (a.header.metadata != b.header.metadata || x.size() != y.size() || a.values != b.values) return false;
  for (size_t i = 0; i < x.size(); ++i) {
    if (x[i].name != y[i].name || x[i].dtype != y[i].dtype || x[i].sizes != y[i].sizes) return false;
  }
  return true;
}

/// Narrow elements first, so that the order in the header and that of the data differ.
inline Contents small_contents() {
  return {{{{"model", "resnet20 \"\u00fc\""}, {"epoch", "3"}},
           {{"codes", "U8", {3}},
            {"conv1.weight", "F32", {2, 2}},
            {"steps", "I64", {}},
            {"half", "F16", {2}},
            {"empty", "F32", {0, 3}}}},
          {"\x01\x02\xff", "0123456789abcdef", "\xfbsteps..", "half", ""}};
}

inline void write_contents(const std::string& path, const Contents& contents) {
  safetensors::write(path, contents.header, [&](size_t i) { return contents.values[i].data(); });
}

/// The bytes of small_contents() as a file.
inline std::string small_file_bytes() {
  const TempFolder folder;
  write_contents(folder / "a", small_contents());
  return read_file(folder / "a");
}

}  // namespace ntq::test
