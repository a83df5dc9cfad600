#pragma once
// Where a tensor lives.
#include <iosfwd>
#include <string>

namespace ntq {

/// A device by its name: "cpu" (the default), the CPU with the kernels of a named instruction set ("cpu:portable"), or
/// one that a module library brings ("cuda:1"; "cuda" is "cuda:0"). That a name can be written does not say that there
/// is such a device: backend_for() (backend/registry.h) does, on first use.
class Device {
 public:
  Device() = default;
  /// Throws std::invalid_argument for what is no name of a device, and for more than kMost of them in one process.
  explicit Device(const std::string& name);
  const std::string& str() const;
  /// "cpu", "cuda": which backend it needs.
  std::string family() const;
  /// What stands behind the colon: "", "portable", "0".
  std::string which() const;

  bool operator==(const Device&) const = default;
  /// A number for tables, below kMost.
  size_t id() const { return id_; }
  static constexpr size_t kMost = 64;

 private:
  size_t id_ = 0;
};

/// Its name; so that messages need none where nothing is wrong.
std::ostream& operator<<(std::ostream& out, const Device& device);

}  // namespace ntq
