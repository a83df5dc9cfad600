#pragma once
// GPUs as cuDNN describes them, for plans without one. The members are those of its JSON in 9.8 and later, all of which
// it asks for; none of them is documented.
#include <nlohmann/json.hpp>

#include "engine/backend/cuda/cudnn/plan.h"

namespace ntq::test {

/// An H100 SXM by its data sheet; `version`: ten times its compute capability.
inline nlohmann::json h100(int version = 900) {
  return {{"deviceName", "NVIDIA H100 80GB HBM3"},
          {"deviceVer", version},
          {"driverVer", 13000},
          {"cudaDeviceId", 0},
          {"pciDeviceId", 0},
          {"isTccDriver", 0},
          {"supportCoopLaunch", 1},
          {"multiProcessorCount", 132},
          {"smClockRateKHz", 1980000},
          {"memClockRateKHz", 2619000},
          {"totalGlobalMem", 85029158912},
          {"l2CacheSize", 50 << 20},
          {"warpSize", 32},
          {"maxGridSize", {2147483647, 65535, 65535}},
          {"maxBlockSize", {1024, 1024, 64}},
          {"maxThreadsPerBlock", 1024},
          {"maxThreadsPerSM", 2048},
          {"maxCtasPerSM", 32},
          {"regsPerBlock", 65536},
          {"maxRegistersPerSM", 65536},
          {"maxSharedMemoryPerBlock", 48 << 10},
          {"maxSharedMemoryPerBlockOptin", 227 << 10},
          {"reservedSharedMemoryPerBlock", 1 << 10}};
}

inline cudnn::Gpu gpu_of(const nlohmann::json& properties) { return cudnn::described_gpu(properties.dump()); }

}  // namespace ntq::test
