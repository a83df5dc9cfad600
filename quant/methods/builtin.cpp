#include "quant/methods/builtin.h"

namespace ntq {

// One function per file of this folder; a new method adds itself here and to the list.
std::shared_ptr<Quantizer> make_lsq(const QuantSpec&), make_ntq(const QuantSpec&);

std::map<std::string, QuantizerFactory> builtin_methods() { return {{"lsq", make_lsq}, {"ntq", make_ntq}}; }

}  // namespace ntq
