#pragma once
// --init: weights from another checkpoint, by name.
#include <string>
#include <vector>

#include "apps/session.h"

namespace ntq::apps {

struct InitReport {
  int64_t matched = 0;
  std::vector<std::string> fresh;      ///< quantizer entries that the first batch will set
  std::vector<std::string> missing;    ///< other tensors that the file lacks: they keep their random start
  std::vector<std::string> left_over;  ///< tensors of the file that the model has no place for
  std::vector<std::string> notices;
};

/// Copies what fits into the model and restarts the weight average from it. Quantizer entries are taken only when the
/// file was trained with the same bits and method; the classifier starts anew when the class counts differ. Files that
/// are not ours hold filters as {Cout,Cin,Kh,Kw} and are turned into {Cout,Kh,Kw,Cin}. Throws CheckpointError when
/// nothing matches or a tensor has another shape; the model is unchanged then.
InitReport init_from(Session& session, const std::string& path);

}  // namespace ntq::apps
