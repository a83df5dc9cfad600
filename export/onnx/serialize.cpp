// The one file that knows protobuf and libonnx's classes.
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx/onnx_pb.h>

#include "base/check.h"
#include "export/onnx/file.h"
#include "export/onnx/onnx.h"

namespace ntq {
namespace {

void put(onnx::ValueInfoProto* value, const std::string& name, const std::vector<int64_t>& dims) {
  value->set_name(name);
  auto* tensor = value->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(onnx::TensorProto::FLOAT);
  tensor->mutable_shape()->add_dim()->set_dim_param("N");
  for (const int64_t size : dims) tensor->mutable_shape()->add_dim()->set_dim_value(size);
}

void put(onnx::TensorProto* proto, const OnnxTensor& tensor) {
  proto->set_name(tensor.name);
  proto->set_data_type(static_cast<int32_t>(tensor.type));
  for (const int64_t size : tensor.dims) proto->add_dims(size);
  proto->set_raw_data(tensor.raw);
}

void put(onnx::NodeProto* proto, const OnnxNode& node) {
  proto->set_op_type(node.op);
  proto->set_name(node.name);
  for (const auto& input : node.inputs) proto->add_input(input);
  proto->add_output(node.output);
  for (const auto& attribute : node.attributes) {
    onnx::AttributeProto* a = proto->add_attribute();
    a->set_name(attribute.name);
    a->set_type(attribute.list ? onnx::AttributeProto::INTS : onnx::AttributeProto::INT);
    if (!attribute.list) a->set_i(attribute.values.at(0));
    if (!attribute.list) continue;
    for (const int64_t value : attribute.values) a->add_ints(value);
  }
}

}  // namespace

std::string onnx_missing() { return ""; }

std::string serialize(const OnnxFile& file) {
  onnx::ModelProto model;
  model.set_ir_version(file.ir);
  model.set_producer_name("ntq");
  model.add_opset_import()->set_version(file.opset);
  onnx::GraphProto* graph = model.mutable_graph();
  graph->set_name(file.graph_name);
  put(graph->add_input(), file.input, file.input_dims);
  put(graph->add_output(), file.output, file.output_dims);
  for (const auto& tensor : file.constants) put(graph->add_initializer(), tensor);
  for (const auto& node : file.nodes) put(graph->add_node(), node);
  for (const auto& [key, value] : file.metadata) {
    auto* entry = model.add_metadata_props();
    entry->set_key(key);
    entry->set_value(value);
  }
  std::string bytes;
  check(model.ByteSizeLong() < size_t{1} << 31, "the ONNX file would have ", model.ByteSizeLong(),
        " bytes, the format ends at 2 GB");
  {
    google::protobuf::io::StringOutputStream to(&bytes);
    google::protobuf::io::CodedOutputStream coded(&to);
    coded.SetSerializationDeterministic(true);
    model.SerializeToCodedStream(&coded);
  }
  return bytes;
}

}  // namespace ntq
