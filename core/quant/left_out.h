#pragma once

#include "model/model_source.h"

namespace espalier {

/// Says in the log which of the model's tensors a file of another format does not hold: prediction
/// blocks and vision towers, which text does not pass through.
void warn_of_left_out(const ModelSource& model);

}  // namespace espalier
