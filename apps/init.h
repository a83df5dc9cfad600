#pragma once
// --init: weights from another checkpoint, by name.
#include <string>

#include "apps/session.h"
#include "train/weights.h"

namespace ntq::apps {

/// Copies what fits into the model and restarts the weight average from it. Quantizer entries are taken only when the
/// file was trained with the same bits and method; the classifier starts anew when the class counts differ. Files that
/// are not ours are read as read_public_weights() says. Throws CheckpointError when nothing matches or a tensor has
/// another shape; the model is unchanged then.
LoadReport init_from(Session& session, const std::string& path);

}  // namespace ntq::apps
