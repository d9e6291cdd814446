#include "ui/bridge/cost_estimate.h"

#include "model/model_source.h"
#include "quant/quant_plan.h"
#include "ui/bridge/machine_info.h"

namespace espalier::ui {

CostEstimate estimateCost(const CompressDraft& draft) {
    const auto source = ModelSource::open(draft.model.toStdString());
    CostEstimate cost;
    for (const NamedTensor& tensor : source->stored_tensors())
        cost.originalBytes += tensor.view.bytes.size();
    MoeConfig config = source->config();
    const auto before = count_parameters(config).total;
    cost.experts = config.router.num_experts;
    cost.keptExperts = draft.keepExperts > 0 ? draft.keepExperts : cost.experts;
    config.router.num_experts = cost.keptExperts;
    const double share =
        static_cast<double>(count_parameters(config).total) / static_cast<double>(before);
    const auto cutBytes =
        static_cast<std::uint64_t>(share * static_cast<double>(cost.originalBytes));
    cost.resultBytes = draft.fileType.isEmpty()
                           ? cutBytes
                           : plan_quantization(config, draft.fileType.toStdString()).total_bytes();
    if (draft.keepExperts > 0) cost.diskBytes += cutBytes;
    if (!draft.fileType.isEmpty()) cost.diskBytes += cost.resultBytes;
    cost.diskFreeBytes = readMachineInfo().diskFreeBytes;
    return cost;
}

}  // namespace espalier::ui
