// In place of serialize.cpp, where libonnx and protobuf were not there at build.
#include "base/check.h"
#include "export/onnx/file.h"
#include "export/onnx/onnx.h"

namespace ntq {

std::string onnx_missing() {
  return "this build cannot write ONNX files: install libonnx-dev and libprotobuf-dev (Debian's names) and build it "
         "anew";
}

std::string serialize(const OnnxFile&) { fail_check(false, onnx_missing()); }

}  // namespace ntq
