#include "quant/left_out.h"

#include "base/log.h"

namespace espalier {

void warn_of_left_out(const ModelSource& model) {
    const auto& names = model.extra_tensors();
    if (names.empty()) return;
    log("quant").warn(
        "{} tensors that text does not pass through are not carried over, from {} to {}",
        names.size(), names.front(), names.back());
}

}  // namespace espalier
