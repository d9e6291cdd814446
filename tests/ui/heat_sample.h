#pragma once

#include "ui/models/expert_matrix.h"

/// Saliencies of a made-up model, the same each time, with a plan that keeps three quarters.
espalier::ui::ExpertMatrix heatSample(std::int64_t numLayers, std::int32_t numExperts);
