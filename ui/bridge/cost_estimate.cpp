#include "ui/bridge/cost_estimate.h"

#include "model/model_source.h"
#include "ui/bridge/machine_info.h"

namespace espalier::ui {

CostEstimate estimateCost(const CompressDraft& draft) {
    const auto source = ModelSource::open(draft.model.toStdString());
    const MachineInfo machine = readMachineInfo();
    return {estimate_plan(makeRecipe(draft), *source), machine.diskFreeBytes,
            machine.availableBytes};
}

}  // namespace espalier::ui
