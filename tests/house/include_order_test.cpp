// Includes point one way: the table of docs/architecture.md, held to by reading every source file.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <optional>

#include "tests/house/sources.h"

namespace ntq::house {
namespace {

using Names = std::vector<std::string>;

const Names kLibrary = {"base",   "infer", "engine", "quant", "export", "layers",
                        "models", "optim", "data",   "train", "analyze"};

/// Which folders a folder may include, itself aside.
const std::map<std::string, Names> kMayInclude = {
    {"base", {}},
    {"infer", {"base"}},
    {"engine", {"base"}},
    {"quant", {"engine", "base"}},
    {"export", {"infer", "quant", "engine", "base"}},
    {"layers", {"quant", "engine", "base"}},
    {"models", {"layers", "quant", "engine", "base"}},
    {"optim", {"engine", "base"}},
    {"data", {"engine", "base"}},
    {"train", {"base", "infer", "export", "engine", "quant", "layers", "models", "optim", "data"}},
    {"analyze", {"base", "infer", "export", "engine", "quant", "layers", "models", "optim", "data", "train"}},
    {"apps", kLibrary},
    {"bench", kLibrary},
    {"examples", kLibrary},
};

/// Headers of other projects and of the system, by how they begin -> the paths that may include them.
const std::vector<std::pair<std::string, Names>> kOutside = {
    {"omp.h", {"engine/backend/cpu/"}},
    {"malloc.h", {"engine/backend/cpu/allocator"}},  // malloc_trim()
    {"immintrin.h", {"base/integer/", "base/limits", "engine/backend/cpu/", "data/kernels/"}},
    {"arm_neon.h", {"engine/backend/cpu/"}},
    {"stdint.h", {"base/integer/", "engine/backend/cpu/kernels/"}},  // kernels take nothing from std
    {"zlib.h", {"base/crc32", "data/", "tests/data/"}},
    {"stb_image.h", {"data/"}},
    {"jpeglib.h", {"data/", "bench/"}},
    {"webp/", {"data/"}},
    {"nlohmann/", {"base/safetensors/", "infer/", "apps/", "bench/", "tests/"}},
    {"onnx/onnx_pb.h", {"export/onnx/serialize", "tests/export/onnx/"}},
    {"google/protobuf/", {"export/onnx/serialize"}},
    {"CLI/", {"apps/", "bench/"}},
    {"doctest/", {"tests/"}},
    {"benchmark/", {"bench/"}},
    {"cuda_runtime", {"engine/backend/cuda/stream"}},
    {"cudnn", {"engine/backend/cuda/cudnn/"}},
    {"cxxabi.h", {"engine/backend/cuda/launch"}},
    {"ucontext.h", {"tests/support/emulated/"}},
    {"sanitizer/", {"tests/support/emulated/"}},
    {"poll.h", {"apps/"}},
    {"dlfcn.h", {"engine/backend/", "tests/support/"}},
    {"pthread.h", {"apps/"}},
    {"semaphore.h", {"apps/"}},
    {"dirent.h", {"data/"}},
    {"fcntl.h", {"base/", "engine/", "data/", "apps/", "tests/"}},
    {"unistd.h", {"base/", "engine/", "data/", "apps/", "tests/"}},
    {"signal.h", {"apps/", "base/atomic_file", "tests/"}},
    {"sched.h", {"engine/backend/cpu/"}},
    {"sys/", {"base/", "engine/", "data/", "apps/", "tests/", "bench/"}},
};

/// The engine's headers from the innermost out; each may include only earlier ones.
const Names kEngineOrder = {"engine/shape.h",
                            "engine/dtype.h",
                            "engine/device.h",
                            "engine/philox.h",
                            "engine/random.h",
                            "engine/backend/view.h",
                            "engine/tensor.h",
                            "engine/op_info.h",
                            "engine/backend/args.h",
                            "engine/backend/memory.h",
                            "engine/backend/primitives.h",
                            "engine/backend/backend.h",
                            "engine/backend/module_interface.h",
                            "engine/backend/registry.h",
                            "engine/backend/profiled.h",
                            "engine/storage.h",
                            "engine/backend/cpu_settings.h",
                            "engine/op_watch.h",
                            "engine/autograd.h",
                            "engine/ops/",
                            "engine/module.h",
                            "engine/graph.h",
                            "engine/serialize"};

bool starts_with_any(const std::string& text, const Names& beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](const std::string& beginning) { return text.rfind(beginning, 0) == 0; });
}

std::string first_folder(const std::string& path) {
  const auto slash = path.find('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::optional<size_t> engine_rank(const std::string& header) {
  for (size_t i = 0; i < kEngineOrder.size(); ++i) {
    if (header.rfind(kEngineOrder[i], 0) == 0 && header.ends_with(".h")) return i;
  }
  return {};
}

bool folder_allowed(const std::string& from, const std::string& to) {
  if (from == to) return true;
  const auto row = kMayInclude.find(from);
  return row != kMayInclude.end() && std::find(row->second.begin(), row->second.end(), to) != row->second.end();
}

/// A suite may include what the folder that it mirrors may, its own folder and tests/support; support, and the
/// house's own checks, use the engine at most.
bool test_allowed(const std::string& file, const std::string& include) {
  const std::string suite = first_folder(file.substr(std::string("tests/").size()));
  if (starts_with_any(include, {"tests/support/", "tests/" + suite + "/"})) return true;
  if (first_folder(include) == "tests") return false;
  if (suite == "export" && (first_folder(include) == "models" || first_folder(include) == "layers")) return true;
  if (suite == "support" && include == "infer/graph.h") return true;       // to say what its values are
  if (suite == "models" && first_folder(include) == "optim") return true;  // to train a model against a record
  if (suite == "cudnn" && first_folder(include) == "models") return true;  // whose convolutions are planned
  if (suite == "fuzz") {                                                   // the readers of files
    return folder_allowed("data", first_folder(include)) || first_folder(include) == "infer" ||
           starts_with_any(include, {"apps/json.h", "train/public_names.h"});
  }
  return folder_allowed(kMayInclude.contains(suite) ? suite : "engine", first_folder(include));
}

/// What is wrong with `include` in `file`; nothing if it is allowed.
std::optional<std::string> problem(const std::string& file, const Include& include) {
  const std::string edge = file + " includes " + include.path + ": ";
  if (!include.quoted) {
    if (include.path.find_first_of("./") == std::string::npos) return {};  // the standard library
    for (const auto& [beginning, places] : kOutside) {
      if (include.path.rfind(beginning, 0) != 0) continue;
      if (starts_with_any(file, places)) return {};
      return edge + "this folder may not use that dependency";
    }
    return edge + "not in the list of known dependencies (kOutside); standard headers are <cmath>, not <math.h>";
  }
  const std::string from = first_folder(file), to = first_folder(include.path);
  if (to.empty()) return edge + "write the path from the repository's root";
  if (from == "tests" ? !test_allowed(file, include.path) : !folder_allowed(from, to)) {
    return edge + from + "/ may not include " + to + "/";
  }
  const auto own = engine_rank(file), other = engine_rank(include.path);
  if (own && other && *other > *own) return edge + "against the engine's own order";
  return {};
}

TEST_CASE("every include is one that the table allows") {
  const auto sources = all_sources();
  REQUIRE(sources.size() > 20);
  for (const auto& source : sources) {
    for (const auto& include : includes_of(source.text)) {
      const auto wrong = problem(source.path, include);
      CHECK_MESSAGE(!wrong, wrong.value_or(""));
    }
  }
}

TEST_CASE("the check finds forbidden edges") {
  const auto refused = [](const char* file, const char* include, bool quoted = true) {
    return problem(file, {include, quoted}).has_value();
  };
  CHECK(refused("engine/tensor.cpp", "quant/quantizer.h"));
  CHECK(refused("optim/sgd.cpp", "models/model.h"));
  CHECK(refused("data/loader.cpp", "layers/conv2d.h"));
  CHECK(refused("models/resnet.cpp", "apps/train_loop.h"));
  CHECK(refused("data/loader.cpp", "train/step.h"));
  CHECK(refused("train/step.cpp", "apps/config.h"));
  CHECK(refused("train/step.cpp", "analyze/objective.h"));
  CHECK(refused("train/checkpoint.cpp", "nlohmann/json.hpp", false));
  CHECK(refused("tests/data/loader_test.cpp", "models/model.h"));
  CHECK(refused("tests/data/loader_test.cpp", "tests/models/helper.h"));
  CHECK(refused("layers/conv2d.cpp", "batch_norm.h"));
  CHECK(refused("base/check.h", "engine/shape.h"));
  CHECK(refused("engine/tensor.h", "engine/ops/conv.h"));
  CHECK(refused("layers/conv2d.cpp", "omp.h", false));
  CHECK(refused("quant/quantizer.cpp", "nlohmann/json.hpp", false));
  CHECK(refused("engine/tensor.cpp", "math.h", false));
  CHECK_FALSE(refused("models/resnet.cpp", "layers/conv2d.h"));
  CHECK_FALSE(refused("tests/models/resnet_test.cpp", "layers/conv2d.h"));
  CHECK_FALSE(refused("tests/models/resnet_test.cpp", "tests/support/gradient.h"));
  CHECK_FALSE(refused("tests/models/reference_test.cpp", "optim/sgd.h"));
  CHECK_FALSE(refused("engine/tensor.cpp", "cmath", false));
}

TEST_CASE("includes are read with any spacing, and only as directives") {
  const auto found =
      includes_of("#include \"a/b.h\"\n  #  include <c>\n// #include \"d/e.h\"\ntext #include <f>\n#include<g>\n");
  REQUIRE(found.size() == 3);
  CHECK(found[0].path == "a/b.h");
  CHECK(found[0].quoted);
  CHECK(found[1].path == "c");
  CHECK_FALSE(found[1].quoted);
  CHECK(found[2].path == "g");
}

TEST_CASE("OpenMP is used in the CPU backend only") {
  for (const auto& source : all_sources()) {
    if (source.path.rfind("engine/backend/cpu/", 0) == 0 || source.path.rfind("tests/house/", 0) == 0) continue;
    CHECK_MESSAGE(source.text.find("#pragma omp") == std::string::npos, source.path);
  }
}

}  // namespace
}  // namespace ntq::house
