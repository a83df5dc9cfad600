#pragma once
// Classes by their names: what a label means does not depend on where its class stands in some list.
#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace ntq {

/// For each of `own` its place in `wanted`. Throws DataError for one that is not there: `places` says where each lies
/// (a folder); empty: in `what`, the whole data set.
std::vector<int32_t> match_classes(const std::vector<std::string>& own, const std::vector<std::string>& wanted,
                                   const std::string& what, const std::vector<std::string>& places = {});

/// Gives `labels`, which count in info.class_names, the meaning of `wanted`, and `info` those names; nothing to do for
/// an empty list.
void relabel(DatasetInfo& info, std::vector<int32_t>& labels, const std::vector<std::string>& wanted);

/// "4 (cat, dog, emu, ...)"
std::string some_names(const std::vector<std::string>& names);

}  // namespace ntq
