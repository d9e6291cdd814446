#include "pipeline/calibrate_sinks.h"

#include "pipeline/report_layers.h"

namespace espalier {

CalibrateSinks report_calibration(RunObserver& observer, const std::string& criterion,
                                  std::size_t stage_index) {
    return {.progress =
                [&observer, stage_index](double fraction, const std::string& text) {
                    observer.on_event(StageProgress{stage_index, fraction, text});
                },
            .layer =
                [&observer, &criterion = find_criterion(criterion)](const ExpertStats& stats) {
                    report_layers(stats, criterion, nullptr, 0, observer);
                }};
}

}  // namespace espalier
