#pragma once
// `.ntqi`: a deploy graph as a safetensors file. Tensors, for a node NAME:
//   NAME.weight  U8 {ceil(n * bits / 8)}: codes in {Cout,Kh,Kw,Cin} order, packed; or F32 {Cout,Kh,Kw,Cin} of 32 bits
//   NAME.levels  F32 {2^bits} or {Cout,2^bits}, where the weights have levels
//   NAME.scale, NAME.bias  F32 {Cout}; NAME.offset_scale likewise, where the inputs have an offset
//   NAME.step    F32 {1}, of codes without thresholds; NAME.offset F32 {1}, where it is not 0
//   NAME.thresholds, NAME.input_levels  F32, where the codes have them
// Metadata: "ntqi.format" "1", or "2" where weights have halves; "ntqi.graph": JSON, below; "ntqi.note.KEY": the notes;
// "ntq.crc32" as base/safetensors.h writes it. The JSON of the graph, keys in this order, those that say nothing left
// out:
//   {"image": [H,W,C], "mean": [..C], "std": [..C], "crop": "whole", "fast_decode": true, "classes": ["airplane", ..],
//    "nodes": [{"op": "conv", "name": "conv1", "inputs": [-1], "relu": true, "kernel": 3, "stride": 1, "pad": 1,
//    "extra": 8,
//               "weight": {"shape": [Cout,Kh,Kw,Cin], "bits": 4, "halves": 1, "levels": 16},
//               "codes": {"bits": 8, "low": 0, "high": 255, "offset": true, "thresholds": true, "levels": true}}, ..]}
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "infer/graph.h"

namespace ntq::infer {

/// The newest format that is read and written; a file has the oldest that can say it.
inline constexpr int kFormat = 2;

/// Two's complement codes of `bits` bits: element i in bits [i * bits, (i + 1) * bits) of a little-endian stream;
/// unused bits are 0.
std::vector<uint8_t> pack_codes(const std::vector<int8_t>& codes, int bits);
/// The first `count` of `packed`, which has as many bytes as they take.
std::vector<int8_t> unpack_codes(const uint8_t* packed, int64_t count, int bits);

/// The same bytes for the same graph. Checks it first (check_graph); throws CheckpointError as safetensors::write does:
/// no file is left half written.
void write_ntqi(const std::string& path, const Graph& graph);
/// Throws CheckpointError (exit code 4) in one line for files that are damaged, newer, or no `.ntqi`. Checked whole:
/// checksums, names, types, shapes, check_graph().
Graph read_ntqi(const std::string& path);
/// The same of bytes in memory; `name` stands for the path in errors.
Graph parse_ntqi(std::string_view bytes, const std::string& name);
/// Whether the file's metadata says that it is one; false for what is no safetensors file.
bool is_ntqi(const std::string& path);

}  // namespace ntq::infer
