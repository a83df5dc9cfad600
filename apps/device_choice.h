#pragma once
// Which device a command computes on, and how.
#include <string>

#include "engine/device.h"

namespace CLI {
class App;
}

namespace ntq::apps {

class Console;

inline constexpr const char* kDeviceHelp = "auto (a GPU where one can be used), cpu, cuda or cuda:1";
/// --device, whose default `device` holds.
void add_device_option(CLI::App& app, std::string& device);
/// Throws UsageError for a word that --device does not take.
void check_device_option(const std::string& device);
/// Whether a word that it takes is that of a CPU.
bool is_cpu(const std::string& device);

struct DeviceChoice {
  Device device;
  std::string why_no_gpu = {};  ///< one line, where "auto" came to the CPU
};

/// Of --device: "auto" takes the first GPU, "cuda:0", where it trains in `precision` (--precision), else the CPU,
/// unless that does not, as in "tf32", or a setting of the GPU is wrong; any other is used or refused, in a DeviceError
/// of one line. From then on the device multiplies as the precision says.
DeviceChoice choose_device(const std::string& device, const std::string& precision = "fp32");
/// The same where the CPU alone computes, `why` ("integers") says what: "auto" is the CPU, another a UsageError.
DeviceChoice choose_cpu(const std::string& device, const std::string& why);

/// What decides the bits of what a device computes: "cpu" for any number of threads and any instruction set with
/// fused multiply-adds, else its description.
std::string bits_of_device(Device device);
/// "  device     ..." and, where there is a reason, "  no GPU     ...".
void print_device(Console& console, const DeviceChoice& choice);

}  // namespace ntq::apps
