#include "pipeline/builtin_stages.h"

#include "pipeline/calibrate_stage.h"
#include "pipeline/evaluate_stage.h"
#include "pipeline/make_stage.h"
#include "pipeline/prune_stage.h"
#include "pipeline/quantize_stage.h"

namespace espalier {

namespace {

Stage measuring(Stage stage) {
    stage.only_measures = true;
    return stage;
}

}  // namespace

std::list<Stage> builtin_stages() {
    return {measuring(make_stage<CalibrateConfig>("calibrate", 4.0, run_calibrate)),
            make_stage<PruneConfig>("prune", 1.0, run_prune),
            make_stage<QuantizeConfig>("quantize", 2.0, run_quantize),
            measuring(make_stage<EvaluateConfig>("evaluate", 4.0, run_evaluate))};
}

}  // namespace espalier
