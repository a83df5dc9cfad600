#pragma once
// From a device's name to the backend that computes there.
#include <string>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/device.h"

namespace ntq {

struct BackendModule;

/// The backend of a device, made on first use. "cpu" and "cpu:ISA" are part of the engine; all else is registered or
/// loaded from the library ntq_backend_FAMILY.so, looked for in the folders of NTQ_BACKEND_PATH (separated by colons),
/// beside the executable, in ../lib/ntq from there, and in lib/ntq where ntq was installed. Throws DeviceError, of one
/// line that says what to do.
Backend& backend_for(Device device);

/// Puts another backend in the place of a device's, which has to stay as memory of it may be in use: one that passes
/// all calls on to it. Both are kept by the caller. Not while the device computes.
void exchange_backend(Device device, Backend& by);

/// Brings the devices "family:0", "family:1", ... of a backend that is linked into the program. Throws
/// std::invalid_argument for a family that is taken.
void register_backend(const std::string& family, const BackendModule& module);

/// What can compute here without loading anything: the CPU with each instruction set that it has, best last, and device
/// 0 of every family that has been registered or loaded.
std::vector<Device> known_devices();

/// The families of the libraries ntq_backend_FAMILY.so that lie where backend_for() looks, sorted; none is loaded.
std::vector<std::string> installed_families();

/// Waits until all work queued on the device is done, and throws DeviceError if some of it failed.
void synchronize(Device device);
/// Throws DeviceError if a call or earlier work failed; does not wait.
void throw_device_error(Device device, DeviceMemory& backend);

}  // namespace ntq
