#pragma once
// The deploy graph while it is put together: what is known of each value of the recorded pass, and nodes that stay open
// until something reads them that cannot go into them. Internal to lower.h.
#include <optional>
#include <set>
#include <variant>

#include "export/codes.h"
#include "export/lower.h"
#include "export/recorded.h"

namespace ntq {

using Numbers = std::vector<double>;

/// A node that later ops may still go into: y = gain * (what the node's op gives) + shift.
struct Open {
  infer::Node node;
  Numbers gain, shift;
  Numbers sum_scale = {};     // of a sum: its value is sum_scale * sum ...
  Numbers offset_scale = {};  // ... + offset_scale * (sum of the weights' codes)
};

/// The codes of another value.
struct Quantized {
  const Quantizer* by;
  int value;
};

using Closed = int;  // a node's index, or infer::kImage
using Form = std::variant<std::monostate, Closed, Open, Quantized>;

class Building {
 public:
  Building(const Recorded& recorded, const infer::MapShape& image);

  /// The layer that a reader may know, nearest to what is being lowered; "" before the first.
  std::string near = {};
  /// "X cannot be deployed", behind its name.
  [[noreturn]] void refuse(const std::string& what) const;

  const Shape& shape(int value) const { return r_.graph.values[static_cast<size_t>(value)].shape; }
  /// Numbers that do not follow from the input; undefined of others.
  const Tensor& constant(int value) const { return r_.constants[static_cast<size_t>(value)]; }
  bool is_constant(int value) const { return constant(value).defined(); }

  void set(int value, Form form) { forms_[static_cast<size_t>(value)] = std::move(form); }
  /// What quantized a value, if nothing has been asked of it but its codes.
  const Quantized* quantized(int value) const { return std::get_if<Quantized>(&forms_[static_cast<size_t>(value)]); }
  InputForm codes_by(const Quantizer& quantizer) const;

  /// What is known of a value; a node that only this reader has is its to go on with.
  Form take(int value);
  /// The node of a form, or of a value that several may read.
  Closed close(Form form);
  Closed read(int value);

  // What goes into an open node, if it can; else into a new one.
  Form affine(Form x, Numbers gain, Numbers shift);
  Form added(Form a, Form b);
  Form rectified(Form x);
  /// A node of its own.
  Form simple(infer::Node node, Form x);

  void stays_float(const std::string& layer, const std::vector<std::string>& reasons);
  /// The graph that ends with the recorded output.
  Lowered finish();

 private:
  std::string unique(const std::string& wanted);
  Closed place(Open open);
  void check_size(const infer::Node& node) const;
  Open quantizer(const Quantized& quantized);

  const Recorded& r_;
  std::vector<Form> forms_;
  std::set<std::string> names_;
  Lowered out_;
};

}  // namespace ntq
