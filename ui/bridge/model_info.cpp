#include "ui/bridge/model_info.h"

#include "model/model_source.h"

namespace espalier::ui {

ModelInfo readModelInfo(const std::filesystem::path& path) {
    const auto source = ModelSource::open(path);
    const MoeConfig& config = source->config();
    const ParameterCounts counts = count_parameters(config);
    ModelInfo info{
        .path = QString::fromStdString(path.string()),
        .name = QString::fromStdString(source->name()),
        .family = QString::fromStdString(config.family),
        .storedType = QString::fromStdString(config.stored_dtype),
        .layers = config.num_layers(),
        .routedLayers = static_cast<std::int64_t>(config.moe_layers().size()),
        .hiddenSize = config.hidden_size,
        .experts = config.router.num_experts,
        .topK = config.router.top_k,
        .contextLength = config.context_length,
        .vocabSize = config.vocab_size,
        .parameters = counts.total,
        .activeParameters = counts.active,
    };
    for (const NamedTensor& tensor : source->stored_tensors())
        info.bytes += tensor.view.bytes.size();
    if (const auto files = source->tokenizer_files()) {
        info.hasTokenizer = true;
        info.hasChatTemplate = !files->chat_template.empty();
    }
    return info;
}

}  // namespace espalier::ui
