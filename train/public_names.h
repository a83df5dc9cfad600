#pragma once
// Names in other people's weight files, and ours for them.
#include <string>
#include <vector>

namespace ntq {

/// What stands before every name of a model's tensors: "module.", "_orig_mod.", "model." and "state_dict.", in any
/// order and any number. Tensors of an optimizer, an average and the like ("optimizer.", "model_ema.", ...), which
/// training code saves beside the model, are not asked. Empty when one name of the model lacks it.
std::string shared_prefix(const std::vector<std::string>& names);
/// `name` without any such prefix, shared or not.
std::string bare_name(const std::string& name);
/// Ours for a name without prefix: "fc" for "linear", "downsample" for a block's "shortcut.0" and "shortcut.1".
std::string our_name(std::string name);
/// Counters that no model here has.
bool is_counter(const std::string& name);

}  // namespace ntq
