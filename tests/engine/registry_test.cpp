// From a device's name to its backend: what names are, what is loaded, and what is said where that fails.
#include "engine/backend/registry.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/check.h"
#include "engine/backend/module_interface.h"
#include "engine/tensor.h"
#include "tests/support/files.h"
#include "tests/support/modules.h"
#include "tests/support/text.h"

using namespace ntq;
using ntq::test::contains;
using ntq::test::one_line_of;

namespace {

/// The one line that asking for a device ends in.
std::string device_error(const std::string& name) {
  return one_line_of<DeviceError>([&] { backend_for(Device(name)); });
}

}  // namespace

TEST_CASE("device: names") {
  CHECK(Device().str() == "cpu");
  CHECK(Device("cpu") == Device());
  CHECK(Device("cuda") == Device("cuda:0"));
  CHECK(Device("cuda").str() == "cuda:0");
  CHECK(Device("cuda:1") != Device("cuda"));
  CHECK(Device("cuda:1").family() == "cuda");
  CHECK(Device("cuda:1").which() == "1");
  CHECK(Device("cpu:portable").which() == "portable");
  CHECK(Device("cpu:portable") != Device());
  for (const char* name : {"", ":", "cpu:", "cuda:", ":0", "cuda:x", "cuda:-1", "cuda:01", "cuda:1000", "../evil",
                           "CUDA", "a b", "cuda:0:0", "cu\nda"}) {
    CAPTURE(name);
    CHECK_THROWS_WITH_AS(Device{name}, doctest::Contains("no name of a device"), std::invalid_argument);
  }
}

TEST_CASE("registry: the CPU, and each of its instruction sets as a device of its own") {
  const auto known = known_devices();
  REQUIRE(known.size() >= 1);
  CHECK(known[0] == Device("cpu:portable"));
  CHECK(contains(backend_for(known[0]).describe(), "portable"));
  CHECK(&backend_for(known[0]) != &backend_for(Device()));
  CHECK(&backend_for(known[0]) == &backend_for(Device("cpu:portable")));
  CHECK(contains(device_error("cpu:mmx"), "'mmx' is unknown or this processor lacks it"));
}

TEST_CASE("registry: a library that is missing or does not fit ends in one line that says what to do") {
  const test::ModulePath path;
  const std::string missing = device_error("nosuch:1");
  CHECK(contains(missing, "there is no ntq_backend_nosuch.so in " + std::string(NTQ_TEST_MODULES)));
  CHECK(contains(missing, "NTQ_BACKEND_PATH"));
  CHECK(contains(missing, "use cpu"));

  const std::string version = device_error("wrong_version");
  CHECK(contains(version,
                 concat("has interface version ", kBackendInterface + 1, ", this program needs ", kBackendInterface)));
  CHECK(contains(version, "install the module of the same ntq"));
  CHECK(contains(device_error("no_entry"), "exports no ntq_backend_module"));
  CHECK(contains(device_error("not_created:3"),
                 "device not_created:3 cannot be used: there is no processor 3;\\nplug one in"));
  CHECK(contains(device_error("not_created"), "no processor 0"));  // and asked again
}

TEST_CASE("registry: a library that cannot be opened says why") {
  const test::TempFolder folder;
  test::write_file(folder.path() / "ntq_backend_broken.so", "no library");
  const test::ModulePath path("/no/such/folder::" + folder.str());
  const std::string error = device_error("broken");
  CHECK(contains(error, "ntq_backend_broken.so cannot be loaded ("));
  CHECK(contains(error, "or use cpu"));
}

TEST_CASE("registry: a backend that is linked in is registered by a call") {
  static Backend* const made = &backend_for(Device("cpu:portable"));
  static int created = 0;
  const BackendModule module{.create = [](int index, BackendError*) {
    ++created;
    return index == 0 ? made : nullptr;
  }};
  register_backend("linked", module);
  CHECK(created == 0);  // on first use only
  CHECK(&backend_for(Device("linked")) == made);
  CHECK(&backend_for(Device("linked:0")) == made);
  CHECK(created == 1);
  CHECK(contains(device_error("linked:1"), "device linked:1 cannot be used"));
  const auto known = known_devices();
  CHECK(std::find(known.begin(), known.end(), Device("linked")) != known.end());
  CHECK_THROWS_WITH_AS(register_backend("linked", module), doctest::Contains("is taken"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(register_backend("cpu", module), doctest::Contains("is taken"), std::invalid_argument);
  CHECK_THROWS_AS(register_backend("a:b", module), std::invalid_argument);
  CHECK_THROWS_WITH_AS(register_backend("older", {.interface = 0, .create = module.create}),
                       doctest::Contains("needs interface version"), std::invalid_argument);
}
