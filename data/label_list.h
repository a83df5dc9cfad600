#pragma once
// Lists that say which class each image of a folder without class folders is of: "FILE LABEL" a line, or only labels.
#include <cstdint>
#include <string>
#include <vector>

#include "data/file_index.h"

namespace ntq {

struct Labels {
  std::vector<int32_t> labels;           ///< of each file of the index
  std::vector<std::string> class_names;  ///< what they mean
  std::vector<std::string> notices;      ///< what the list has too much of
};

/// Fields stand between tabs, commas, semicolons or spaces; what follows a label (boxes, as in Kaggle's
/// LOC_val_solution.csv and Tiny-ImageNet's val_annotations.txt) is passed over, and so is a header line. Files may be
/// named without their endings, and with folders of another place. Labels are names of `classes`, or numbers from 0 in
/// their order. No `classes`: the names of the list, sorted, or its numbers as they are.
/// `path` is the list's. Throws DataError with the line.
Labels read_label_list(const std::string& path, const FileIndex& files, const std::vector<std::string>& classes);
/// The same of a list's text; `path` stands for it in errors.
Labels parse_label_list(const std::string& text, const std::string& path, const FileIndex& files,
                        const std::vector<std::string>& classes);

}  // namespace ntq
