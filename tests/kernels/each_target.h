#pragma once

#include <hwy/highway.h>
#include <hwy/targets.h>
#include <string>

namespace espalier {

/// Calls body(name) once for every instruction set that was compiled and that this machine has,
/// with all kernels dispatching to it.
template <typename Body>
void for_each_target(Body&& body) {
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        hwy::GetChosenTarget().Update(hwy::SupportedTargets());
        body(std::string(hwy::TargetName(target)));
    }
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace espalier
