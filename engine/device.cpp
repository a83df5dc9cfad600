#include "engine/device.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <ostream>
#include <string_view>

#include "base/check.h"
#include "base/printable.h"

namespace ntq {
namespace {

/// The names met so far; a device is a place in this list. A deque: references stay as it grows.
struct DeviceNames {
  std::mutex mutex;
  std::deque<std::string> list = {"cpu"};
};

DeviceNames& device_names() {
  static DeviceNames* const names = new DeviceNames;  // never destroyed: static tensors may ask later
  return *names;
}

bool all_of(std::string_view text, std::string_view allowed) {
  return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

/// The name in full; empty: it is none.
std::string full_name(const std::string& name) {
  constexpr std::string_view kDigits = "0123456789", kLetters = "abcdefghijklmnopqrstuvwxyz0123456789_";
  const auto colon = name.find(':');
  const std::string family = name.substr(0, colon);
  if (!all_of(family, kLetters) || family.size() > 32) return {};
  if (family == "cpu") return colon == name.npos || all_of(name.substr(colon + 1), kLetters) ? name : "";
  if (colon == name.npos) return name + ":0";
  const std::string number = name.substr(colon + 1);
  const bool plain = all_of(number, kDigits) && number.size() <= 3 && (number == "0" || number[0] != '0');
  return plain ? name : "";
}

}  // namespace

Device::Device(const std::string& name) {
  const std::string full = full_name(name);
  check(!full.empty(), "device ", in_quotes(name), ": no name of a device; expected one like cpu, cuda or cuda:0");
  DeviceNames& names = device_names();
  const std::lock_guard lock(names.mutex);
  const auto found = std::find(names.list.begin(), names.list.end(), full);
  id_ = static_cast<size_t>(found - names.list.begin());
  if (found != names.list.end()) return;
  check(names.list.size() < kMost, "device ", in_quotes(name), ": at most ", kMost, " devices have names");
  names.list.push_back(full);
}

const std::string& Device::str() const {
  DeviceNames& names = device_names();
  const std::lock_guard lock(names.mutex);
  return names.list[id_];
}

std::ostream& operator<<(std::ostream& out, const Device& device) { return out << device.str(); }

std::string Device::family() const { return str().substr(0, str().find(':')); }

std::string Device::which() const {
  const auto colon = str().find(':');
  return colon == std::string::npos ? "" : str().substr(colon + 1);
}

}  // namespace ntq
