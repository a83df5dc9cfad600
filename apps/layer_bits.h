#pragma once
// Bits of single layers: --bits-of, --bits-file, and "bits_of" in a config.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>
#include "models/model.h"

namespace ntq::apps {

/// Layer name -> "8", "fp" (32), "w8a4", "w8" or "a4", as it was given.
using BitsByLayer = std::map<std::string, std::string>;

/// A plain number means both sides. Throws UsageError for anything but 2 to 8, 32 and fp; `where` stands before it.
LayerBits parse_layer_bits(const std::string& where, const std::string& text);
/// "w8a4", "w8", "a4", "fp": what parse_layer_bits() reads as the same.
std::string layer_bits_text(const LayerBits& bits);

/// "conv1=8,fc=fp" beside what `out` (an object) has. Throws UsageError for another form and for a layer named twice.
void add_layer_bits(const std::string& where, std::string_view text, nlohmann::ordered_json& out);
/// Puts the layers of the file that `options` names as "bits_file" into its "bits_of", in its place. The file: a JSON
/// object of layers and bits, as HAWQ's bit configurations, or lines NAME=BITS with # before remarks. Throws UsageError
/// for a file that cannot be read and for two values of a layer; `where` stands for `options` in it.
void take_bits_file(nlohmann::ordered_json& options, const std::string& where);

/// --bits-before, "8,w5a4": each as parse_layer_bits() reads it; none of nothing. Throws UsageError for full precision
/// too.
std::vector<LayerBits> parse_widths(const std::string& where, const std::optional<std::string>& text);
/// "w8a8,w5a4": what is left open as in the run itself, whose bits these are. A plain number means the sides that it
/// quantizes, where it quantizes only one of them.
std::string resolved_widths(const std::string& text, int weight_bits, int activation_bits);

/// Throws UsageError for a value that parse_layer_bits() does not take.
void validate_layer_bits(const BitsByLayer& layers);
/// In the form of layer_bits_text(). A plain number means the sides that the model quantizes, where it quantizes only
/// one of them.
BitsByLayer resolved_layer_bits(const BitsByLayer& layers, bool weights, bool activations);
/// "conv1=w8a8, fc=fp".
std::string layers_text(const BitsByLayer& layers);
/// For a model that could not be built: throws UsageError if `layers` names one that `plain`, the same model without
/// exceptions, does not have, with the nearest name or all.
void check_layer_names(const BitsByLayer& layers, const std::string& model, Module& plain);

}  // namespace ntq::apps
