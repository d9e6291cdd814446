#pragma once

#include <list>

#include "pipeline/stage.h"

namespace espalier {

/// The stages that need no libtorch.
std::list<Stage> builtin_stages();

}  // namespace espalier
