#include "engine/backend/module_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>
#include <vector>

#include "base/check.h"
#include "base/printable.h"
#include "engine/backend/registry.h"

namespace ntq {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> module_folders() {
  std::vector<fs::path> folders;
  const char* wish = std::getenv("NTQ_BACKEND_PATH");
  std::istringstream list(wish ? wish : "");
  for (std::string folder; std::getline(list, folder, ':');) {
    if (!folder.empty()) folders.emplace_back(folder);
  }
  std::error_code none;
  const fs::path program = fs::read_symlink("/proc/self/exe", none).parent_path();
  if (!none) folders.insert(folders.end(), {program, program.parent_path() / NTQ_LIBDIR / "ntq"});
  const fs::path installed = fs::path(NTQ_PREFIX) / NTQ_LIBDIR / "ntq";
  if (folders.empty() || folders.back() != installed) folders.push_back(installed);
  return folders;
}

fs::path find_library(const std::string& family) {
  const std::string name = "ntq_backend_" + family + ".so";
  std::string searched;
  for (const fs::path& folder : module_folders()) {
    std::error_code none;
    if (fs::is_regular_file(folder / name, none)) return folder / name;
    searched += (searched.empty() ? "" : ", ") + printable(folder.string(), 200);
  }
  throw DeviceError(concat("device family \"", family, "\": there is no ", name, " in ", searched,
                           "; install it, or name its folder in NTQ_BACKEND_PATH, or use cpu"));
}

}  // namespace

std::vector<std::string> installed_families() {
  const std::string prefix = "ntq_backend_", suffix = ".so";
  std::set<std::string> families;
  for (const fs::path& folder : module_folders()) {
    std::error_code none;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, none)) {
      const std::string name = entry.path().filename().string();
      if (name.size() > prefix.size() + suffix.size() && name.starts_with(prefix) && name.ends_with(suffix))
        families.insert(name.substr(prefix.size(), name.size() - prefix.size() - suffix.size()));
    }
  }
  return {families.begin(), families.end()};
}

const BackendModule& load_backend_module(const std::string& family) {
  const fs::path path = find_library(family);
  const std::string where = concat("device family \"", family, "\": ", printable(path.string(), 300));
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char* why = dlerror();
    throw DeviceError(concat(where, " cannot be loaded (", printable(why ? why : "no reason given", 300),
                             "); install what it needs, or use cpu"));
  }
  // A library that is refused stays loaded: closing it would run more of its code.
  void* const entry = dlsym(library, "ntq_backend_module");
  if (!entry)
    throw DeviceError(
        concat(where, " is no backend: it exports no ntq_backend_module; install the module of this ntq"));
  const BackendModule* const module = reinterpret_cast<decltype(&ntq_backend_module)>(entry)();
  const uint32_t found = module ? module->interface : 0;
  if (found != kBackendInterface)
    throw DeviceError(concat(where, " has interface version ", found, ", this program needs ", kBackendInterface,
                             "; install the module of the same ntq"));
  return *module;
}

}  // namespace ntq
