#include "engine/backend/registry.h"

#include <array>
#include <atomic>
#include <map>
#include <mutex>

#include "base/check.h"
#include "base/isa.h"
#include "base/printable.h"
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/module_interface.h"
#include "engine/backend/module_library.h"

namespace ntq {
namespace {

struct Registry {
  std::mutex mutex;
  std::map<std::string, BackendModule> families;
  std::array<std::atomic<Backend*>, Device::kMost> made{};
};

/// Neither it nor a backend is destroyed: tensors of static lifetime may outlive any order of destruction.
Registry& registry() {
  static Registry* const all = new Registry;
  return *all;
}

/// Whatever a module wrote there, on one line.
std::string text_of(const BackendError& error) {
  const std::string_view text(error.text, sizeof error.text);
  return printable(text.substr(0, text.find('\0')));
}

/// With the registry's mutex held.
Backend* make_backend(Registry& all, Device device) {
  const std::string family = device.family();
  if (family == "cpu")
    return device == Device() ? &cpu::cpu_backend() : cpu::make_cpu_backend(device.which()).release();
  auto found = all.families.find(family);
  if (found == all.families.end()) found = all.families.emplace(family, load_backend_module(family)).first;
  BackendError error;
  Backend* const backend = found->second.create(std::stoi(device.which()), &error);
  if (!backend) {
    const std::string text = concat("device ", device.str(), " cannot be used: ", text_of(error));
    if (error.code == BackendError::Code::settings) throw DeviceSettingError(text);
    throw DeviceError(text);
  }
  return backend;
}

}  // namespace

Backend& backend_for(Device device) {
  Registry& all = registry();
  std::atomic<Backend*>& place = all.made[device.id()];
  if (Backend* const backend = place.load(std::memory_order_acquire)) return *backend;
  const std::lock_guard lock(all.mutex);
  if (!place) place = make_backend(all, device);
  return *place;
}

void exchange_backend(Device device, Backend& by) {
  backend_for(device);  // is made, or throws
  registry().made[device.id()] = &by;
}

void register_backend(const std::string& family, const BackendModule& module) {
  const Device first(family + ":0");  // refuses what is no name
  check(module.interface == kBackendInterface && module.create, "register_backend: \"", family,
        "\" needs interface version ", kBackendInterface, " and a function that creates");
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  check(first.family() != "cpu" && all.families.emplace(family, module).second, "register_backend: \"", family,
        "\" is taken");
}

std::vector<Device> known_devices() {
  std::vector<Device> devices;
  for (const std::string& isa : cpu::available_isas()) devices.emplace_back("cpu:" + isa);
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  for (const auto& entry : all.families) devices.emplace_back(entry.first);
  return devices;
}

void synchronize(Device device) {
  Backend& backend = backend_for(device);
  backend.synchronize();
  throw_device_error(device, backend);
}

void throw_device_error(Device device, DeviceMemory& backend) {
  const BackendError error = backend.take_error();
  switch (error.code) {
    case BackendError::Code::none: return;
    case BackendError::Code::out_of_memory:
      throw DeviceError(concat(device.str(), ": out of memory: ", text_of(error),
                               "; a smaller batch size or recomputed blocks need less"));
    case BackendError::Code::settings: throw DeviceSettingError(concat(device.str(), ": ", text_of(error)));
    case BackendError::Code::unsupported:
    case BackendError::Code::failed: throw DeviceError(concat(device.str(), ": ", text_of(error)));
  }
}

}  // namespace ntq
