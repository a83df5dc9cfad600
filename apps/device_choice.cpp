#include "apps/device_choice.h"

#include <CLI/CLI.hpp>

#include "apps/config.h"
#include "apps/console.h"
#include "base/check.h"
#include "base/printable.h"
#include "engine/backend/cpu_settings.h"
#include "engine/backend/registry.h"
#include "train/activations.h"

namespace ntq::apps {
namespace {

Device opened(const std::string& name, const std::string& precision) {
  const Device device(name);
  Backend& backend = backend_for(device);
  check_activations(device, precision == "bf16" ? DType::bf16 : DType::f32);
  if (!backend.use_products(precision == "tf32" ? Products::tf32 : Products::float32))
    throw DeviceError(concat("precision tf32: device ", name, " has no such products; use fp32"));
  return device;
}

}  // namespace

void add_device_option(CLI::App& app, std::string& device) {
  app.add_option("--device", device, concat(kDeviceHelp, " [", device, "]"))->type_name("NAME");
}

void check_device_option(const std::string& device) {
  try {
    if (device != "auto") Device{device};
  } catch (const std::invalid_argument&) {
    throw UsageError("--device: expected auto, cpu, cuda or a numbered one like cuda:1; found '" +
                     printable(device, 80) + "'");
  }
}

bool is_cpu(const std::string& device) { return device != "auto" && Device(device).family() == "cpu"; }

DeviceChoice choose_device(const std::string& device, const std::string& precision) {
  check_device_option(device);
  if (device != "auto") return {opened(device, precision)};
  try {
    return {opened("cuda", precision)};
  } catch (const DeviceSettingError&) {
    throw;
  } catch (const DeviceError& no_gpu) {
    if (precision == "tf32")
      throw DeviceError(concat("--precision tf32 needs a GPU, and none can be used: ", no_gpu.what()));
    return {opened("cpu", precision), no_gpu.what()};
  }
}

DeviceChoice choose_cpu(const std::string& device, const std::string& why) {
  check_device_option(device);
  if (device == "auto" || device == "cpu") return {};
  throw UsageError(concat("--device ", device, ": ", why, ", on the cpu alone; use cpu"));
}

std::string bits_of_device(Device device) {
  if (device.family() != "cpu") return printable(backend_for(device).describe(), 200);
  const std::string isa = device.which().empty() ? cpu_isa() : device.which();
  return isa == "portable" ? "cpu, portable" : "cpu";
}

void print_device(Console& console, const DeviceChoice& choice) {
  console.line("  device     " + backend_for(choice.device).describe());
  if (!choice.why_no_gpu.empty()) console.line("  no GPU     " + choice.why_no_gpu);
}

}  // namespace ntq::apps
