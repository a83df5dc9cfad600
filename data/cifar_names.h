#pragma once
// The classes of CIFAR-10 and CIFAR-100 by name, in the order of their labels (batches.meta.txt, fine_label_names.txt).
#include <string>
#include <vector>

namespace ntq {

std::vector<std::string> cifar10_names();
std::vector<std::string> cifar100_names();

}  // namespace ntq
