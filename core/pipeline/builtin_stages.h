#pragma once

#include <list>

#include "pipeline/stage.h"

namespace espalier {

/// The stages of the library itself.
std::list<Stage> builtin_stages();

}  // namespace espalier
