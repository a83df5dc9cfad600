// The header as events of a JSON parser: no tree is built, so nesting and size cost nothing, and repeated keys are
// seen.
#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>

#include "base/safetensors/header.h"
#include "base/stored_type.h"
#include "base/text.h"

namespace ntq::safetensors {
namespace {

constexpr size_t kMaxSizes = 64;  // numpy's limit

[[noreturn]] void fail_dtype(const std::string& text, const std::string& tensor, const std::string& file) {
  const std::string known = join(kStoredTypes, ", ", [](const StoredType& type) { return type.name; });
  throw CheckpointError(concat(file, ": tensor ", in_quotes(tensor), " has type ", in_quotes(text),
                               ", which is not one of ", known, "; convert it first"));
}

class HeaderEvents : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderEvents(const std::string& file, Header& header) : file_(file), header_(header) {}

  bool null() override { unexpected("null"); }
  bool boolean(bool) override { unexpected("a truth value"); }
  bool number_integer(number_integer_t value) override { unexpected(concat("the number ", value)); }
  bool number_float(number_float_t, const string_t& text) override { unexpected("the number " + in_quotes(text)); }
  bool binary(binary_t&) override { unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::shape && place_ != Place::offsets) unexpected(concat("the number ", value));
    std::vector<uint64_t>& list = place_ == Place::shape ? *sizes_ : *offsets_;
    const size_t most = place_ == Place::shape ? kMaxSizes : 2;
    if (list.size() == most) bad(concat("\"", key_, "\" holds more than ", most, " numbers"));
    list.push_back(value);
    return true;
  }

  bool string(string_t& text) override {
    if (place_ == Place::metadata) {
      header_.metadata[key_] = text;
    } else if (place_ == Place::entry && key_ == "dtype") {
      if (find_stored_type(text) == kStoredTypes.size()) fail_dtype(text, entry_.name, file_);
      entry_.dtype = text;
      has_dtype_ = true;
    } else {
      unexpected("the string " + in_quotes(text));
    }
    return true;
  }

  bool start_object(size_t) override {
    if (place_ == Place::outside) {
      place_ = Place::names;
    } else if (place_ == Place::names) {
      place_ = key_ == kMetadata ? Place::metadata : Place::entry;
      entry_ = {};
      entry_.name = key_;
      has_dtype_ = false;
      sizes_.reset();
      offsets_.reset();
    } else {
      unexpected("an object");
    }
    keys_.clear();
    return true;
  }

  bool key(string_t& text) override {
    key_ = text;
    if (place_ == Place::entry && key_ != "dtype" && key_ != "shape" && key_ != "data_offsets") {
      bad(concat("unknown key ", in_quotes(key_), ", expected dtype, shape and data_offsets"));
    }
    if (!(place_ == Place::names ? names_ : keys_).insert(text).second) bad(concat(in_quotes(text), " stands twice"));
    return true;
  }

  bool end_object() override {
    if (place_ == Place::entry) finish_entry();
    place_ = place_ == Place::names ? Place::outside : Place::names;
    return true;
  }

  bool start_array(size_t) override {
    if (place_ != Place::entry || key_ == "dtype") unexpected("a list");
    place_ = key_ == "shape" ? Place::shape : Place::offsets;
    (place_ == Place::shape ? sizes_ : offsets_).emplace();
    return true;
  }

  bool end_array() override {
    place_ = Place::entry;
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    damaged(file_, "the header is no valid JSON (byte ", position, ")");
  }

 private:
  enum class Place { outside, names, metadata, entry, shape, offsets };

  [[noreturn]] void bad(const std::string& message) const {
    const bool in_entry = place_ == Place::entry || place_ == Place::shape || place_ == Place::offsets;
    const char* part = place_ == Place::metadata ? "metadata: " : in_entry ? "tensor " : "";
    damaged(file_, "header: ", part, in_entry ? in_quotes(entry_.name) + ": " : "", message);
  }
  [[noreturn]] void unexpected(const std::string& found) const {
    const char* expected = place_ == Place::outside    ? "an object"
                           : place_ == Place::names    ? "an object for each tensor"
                           : place_ == Place::metadata ? "a string for each key"
                           : place_ == Place::entry    ? "a dtype string and two lists"
                                                       : "non-negative integers below 2^64";
    bad(concat("expected ", expected, ", found ", found));
  }

  void finish_entry() {
    if (!has_dtype_ || !sizes_ || !offsets_ || offsets_->size() != 2) bad("needs dtype, shape and two data_offsets");
    for (const uint64_t size : *sizes_) {
      if (size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) bad(concat("impossible size ", size));
      entry_.sizes.push_back(static_cast<int64_t>(size));
    }
    if (!count_elements(entry_.sizes)) bad("shape: more than 2^62 elements");
    entry_.begin = (*offsets_)[0];
    entry_.end = (*offsets_)[1];
    header_.entries.push_back(entry_);
  }

  const std::string& file_;
  Header& header_;
  Place place_ = Place::outside;
  std::string key_;
  std::unordered_set<std::string> names_, keys_;  // seen in the header, in the object within
  Entry entry_;
  bool has_dtype_ = false;
  std::optional<std::vector<uint64_t>> sizes_, offsets_;
};

void check_layout(const Header& header, uint64_t data_bytes, const std::string& file) {
  uint64_t next = 0;
  for (const size_t i : order_by_offset(header.entries)) {
    const Entry& e = header.entries[i];
    const std::string where = concat("tensor ", in_quotes(e.name), " at bytes [", e.begin, ",", e.end, ")");
    if (e.begin > e.end || e.end > data_bytes) {
      damaged(file, where, " lies outside of the ", data_bytes, " bytes behind the header");
    }
    if (e.begin != next) damaged(file, where, e.begin < next ? " overlaps" : " leaves a hole behind", " byte ", next);
    const StoredType& unit = kStoredTypes[find_stored_type(e.dtype)];
    const uint64_t elements = count_elements(e.sizes).value_or(0);
    if (elements % unit.elements != 0 || e.bytes() % unit.bytes != 0 ||
        e.bytes() / unit.bytes != elements / unit.elements) {
      damaged(file, where, " does not hold ", e.dtype, " ", e.shape());
    }
    next = e.end;
  }
  if (next != data_bytes) damaged(file, "the tensors end at byte ", next, " of ", data_bytes, " behind the header");
}

}  // namespace

std::optional<uint64_t> count_elements(const std::vector<int64_t>& sizes) {
  uint64_t count = 1;
  bool none = false;
  for (const int64_t size : sizes) {
    none = none || size == 0;
    if (size > 0 && count > (uint64_t{1} << 62) / static_cast<uint64_t>(size)) return {};
    count *= static_cast<uint64_t>(std::max<int64_t>(size, 1));
  }
  return none ? 0 : count;
}

Header parse_header(std::string_view json, uint64_t data_bytes, const std::string& file) {
  if (json.empty() || json.front() != '{') damaged(file, "the header does not start with '{'");
  Header header;
  HeaderEvents events(file, header);
  nlohmann::json::sax_parse(json.begin(), json.end(), &events);
  check_layout(header, data_bytes, file);
  return header;
}

}  // namespace ntq::safetensors
