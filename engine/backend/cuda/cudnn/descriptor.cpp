#include "engine/backend/cuda/cudnn/descriptor.h"

#include <utility>

namespace ntq::cudnn {

void require(cudnnStatus_t status, const std::string& doing) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  char words[1024] = "";
  cudnnGetLastErrorString(words, sizeof words);
  std::string text = doing + ": " + cudnnGetErrorString(status);
  if (words[0] != '\0') text += std::string(" (") + words + ")";
  throw Error(text);
}

std::string version() { return version_text(cudnnGetVersion()); }

std::string version_text(size_t number) {
  return std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." + std::to_string(number % 100);
}

Descriptor::Descriptor(cudnnBackendDescriptorType_t type) {
  require(cudnnBackendCreateDescriptor(type, &raw_), "creating a descriptor of cuDNN, type " + std::to_string(type));
}

Descriptor::~Descriptor() {
  if (raw_ != nullptr) cudnnBackendDestroyDescriptor(raw_);
}

Descriptor& Descriptor::finalize() {
  require(try_finalize(), "finalizing a descriptor of cuDNN");
  return *this;
}

int64_t Descriptor::number(cudnnBackendAttributeName_t name) const {
  int64_t value = 0;
  get_raw(name, CUDNN_TYPE_INT64, 1, &value);
  return value;
}

std::vector<Descriptor> Descriptor::parts(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type,
                                          int64_t room) const {
  if (room < 0) room = get_raw(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, nullptr);
  std::vector<Descriptor> parts;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (int64_t i = 0; i < room; ++i) {  // cuDNN fills in what the caller has made
    parts.emplace_back(type);
    raw.push_back(parts.back().raw());
  }
  if (room > 0) {
    parts.erase(parts.begin() + get_raw(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, room, raw.data()), parts.end());
  }
  return parts;
}

void Descriptor::set_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count,
                         const void* values) {
  require(cudnnBackendSetAttribute(raw_, name, type, count, values),
          "setting attribute " + std::to_string(name) + " of cuDNN");
}

int64_t Descriptor::get_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t room,
                            void* to) const {
  int64_t count = 0;
  require(cudnnBackendGetAttribute(raw_, name, type, room, &count, to),
          "reading attribute " + std::to_string(name) + " of cuDNN");
  return count;
}

}  // namespace ntq::cudnn
