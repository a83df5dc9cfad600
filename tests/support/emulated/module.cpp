// What the library exports: two devices, of 64 MB and of 64 KB, and the counters.
#include <array>
#include <cstdio>

#include "tests/support/emulated/device.h"

namespace ntq::emulated {
namespace {

constexpr std::array<size_t, 2> kSizes = {size_t{64} << 20, size_t{64} << 10};
std::array<Emulated*, 2> devices;

Backend* create(int index, BackendError* error) {
  if (index >= 2) {
    error->code = BackendError::Code::failed;
    std::snprintf(error->text, sizeof error->text, "there are %zu emulated devices", kSizes.size());
    return nullptr;
  }
  const auto place = static_cast<size_t>(index);
  devices[place] = new Emulated(kSizes[place]);
  return devices[place];
}

}  // namespace
}  // namespace ntq::emulated

const ntq::BackendModule* ntq_backend_module() {
  static const ntq::BackendModule module{.create = ntq::emulated::create};
  return &module;
}

void ntq_emulated_counters(ntq::emulated::Counters* out) { *out = ntq::emulated::devices[0]->counters(); }
