#include "engine/backend/cuda/cudnn/library.h"

#include <cudnn.h>
#include <dlfcn.h>

#include "engine/backend/cuda/cudnn/descriptor.h"

namespace ntq::cudnn {

std::string why_unusable(size_t version, const std::function<bool(const std::string&)>& opens) {
  for (const std::string part : {"graph", "heuristic", "engines_precompiled", "engines_runtime_compiled"}) {
    const std::string name = "libcudnn_" + part + ".so.9";
    if (!opens(name)) return "cuDNN lacks its " + name + "; install all of libcudnn9-cuda-13, or use cpu";
  }
  constexpr size_t kOldest = 90800;
  if (version < kOldest)
    return "cuDNN is " + version_text(version) + ", 9.8 or later is needed; install it, or use cpu";
  return "";
}

void require_library() {
  Dl_info cudnn{};
  dladdr(reinterpret_cast<void*>(&cudnnGetVersion), &cudnn);
  const std::string path = cudnn.dli_fname != nullptr ? cudnn.dli_fname : "";
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  const auto opens = [&](const std::string& name) {
    return dlopen(name.c_str(), RTLD_LAZY) != nullptr || dlopen((folder + name).c_str(), RTLD_LAZY) != nullptr;
  };
  if (const std::string why = why_unusable(cudnnGetVersion(), opens); !why.empty()) throw Error(why);
}

}  // namespace ntq::cudnn
