#pragma once

#include <QString>

#include "ui/bridge/expert_session.h"
#include "window_fixture.h"

/// Where statistics of the bundled sample lie that a calibration of it has written.
QString sampleStatistics();
QString sampleModel();

/// A finished run of the stage calibrate on the sample, with those statistics and a few texts, in
/// the fixture's library.
/// @return the statistics file in it
QString addCalibration(WindowFixture& fixture);

/// What core chooses of the sample. @param wishes what is locked and forced out
espalier::ExpertPlan selected(std::int64_t keep, const std::string& criterion = "reap",
                              std::map<std::int64_t, espalier::LayerPlan> wishes = {});

/// Kept experts by layer.
std::map<std::int64_t, std::vector<std::int32_t>> keptOf(const espalier::ui::PlanState& plan);
std::map<std::int64_t, std::vector<std::int32_t>> keptOf(const espalier::ExpertPlan& plan);
