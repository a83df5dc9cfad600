#pragma once
// TensorBoard event files of a run's tables: records of protobuf Events, each length and content with a checksum.
#include <cstdint>
#include <string>
#include <string_view>

#include "apps/report/csv.h"

namespace ntq::apps {

/// CRC-32C (Castagnoli); of "123456789" 0xe3069283.
uint32_t crc32c(std::string_view bytes);

/// What a TFRecord file has of `data`: its length, a masked checksum of that, the data, a masked checksum of it.
std::string event_record(std::string_view data);

/// An Event with one scalar. `time`: seconds.
std::string scalar_event(double time, int64_t step, const std::string& tag, float value);

/// The whole file: every column of numbers of metrics.csv under epochs/, of steps.csv under steps/, of layers.csv under
/// layers/COLUMN/LAYER. Times count from 0, so that equal runs give equal bytes.
std::string event_file(const CsvTable& epochs, const CsvTable& steps, const CsvTable& layers);

/// Writes DIR/NAME/events.out.tfevents.0.ntq of a run folder; gives its path. Throws CheckpointError: not writable.
std::string write_events(const std::string& run, const std::string& name, const std::string& dir);

}  // namespace ntq::apps
