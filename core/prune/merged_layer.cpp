#include "prune/merged_layer.h"

#include <array>
#include <map>
#include <utility>
#include <vector>

#include "kernels/decode.h"

namespace espalier {
namespace {

constexpr std::array kExpertRoles{TensorRole::ExpertGate,   TensorRole::ExpertUp,
                                  TensorRole::ExpertDown,   TensorRole::ExpertGateBias,
                                  TensorRole::ExpertUpBias, TensorRole::ExpertDownBias};

/// How the layer stores tensors of each role: of one that holds two roles' rows, by the first.
std::map<TensorRole, DType> stored_types(const ModelSource& model, std::int64_t layer) {
    std::map<TensorRole, DType> types;
    for (const NamedTensor& tensor : model.stored_tensors()) {
        const auto key = model.role_of(tensor.name);
        if (!key || key->layer != layer || !is_expert_role(key->role)) continue;
        types[key->role] = tensor.view.dtype;
    }
    types.emplace(TensorRole::ExpertUp, types.at(TensorRole::ExpertGate));
    const auto bias = types.find(TensorRole::ExpertGateBias);
    if (bias != types.end()) types.emplace(TensorRole::ExpertUpBias, bias->second);
    return types;
}

class MergedLayer final : public ModelSource {
public:
    MergedLayer(const MergeInput& input, std::int64_t layer, std::stop_token stop)
        : base_(input.model) {
        path_ = base_.path();
        config_ = base_.config();
        extra_tensors_ = base_.extra_tensors();
        const auto types = stored_types(base_, layer);
        ExpertMerger merger(input, std::move(stop));
        for (const auto& group : input.plan.layers.at(layer).groups) {
            for (const TensorRole role : kExpertRoles) {
                const TensorKey key{role, static_cast<std::int32_t>(layer), group.front()};
                if (!base_.has(key)) continue;
                const std::vector<float> mean = merger.mean(key);
                Merged& merged = merged_[key];
                merged.dtype = types.at(role);
                merged.bytes.resize(mean.size() * info(merged.dtype).block_bytes);
                kernels::encode_float(merged.dtype, mean, merged.bytes);
            }
        }
    }

    bool has(const TensorKey& key) const override { return base_.has(key); }
    std::optional<TensorView> view(const TensorKey& key) const override {
        const auto found = merged_.find(key);
        if (found == merged_.end()) return base_.view(key);
        return TensorView{found->second.dtype, shape(key), found->second.bytes};
    }
    std::optional<StoredTensor> stored(const TensorKey& key) const override {
        if (!merged_.contains(key)) return base_.stored(key);
        return StoredTensor{.view = *view(key)};
    }
    std::optional<StoredTensor> stored_pair(const TensorKey& key) const override {
        return merged_.contains(key) ? std::nullopt : base_.stored_pair(key);
    }
    void decode(const TensorKey& key, std::span<float> out) const override {
        const auto found = merged_.find(key);
        if (found == merged_.end()) return base_.decode(key, out);
        kernels::decode(found->second.dtype, found->second.bytes, out);
    }
    Shape shape(const TensorKey& key) const override { return base_.shape(key); }
    void release_layer(std::int32_t layer) const override { base_.release_layer(layer); }
    std::span<const NamedTensor> stored_tensors() const override { return base_.stored_tensors(); }
    std::optional<TensorKey> role_of(std::string_view stored_name) const override {
        return base_.role_of(stored_name);
    }
    std::optional<TokenizerFiles> tokenizer_files() const override {
        return base_.tokenizer_files();
    }

private:
    struct Merged {
        DType dtype = DType::F32;
        std::vector<std::byte> bytes;
    };

    const ModelSource& base_;
    std::map<TensorKey, Merged> merged_;
};

}  // namespace

std::unique_ptr<const ModelSource> merged_layer(const MergeInput& input, std::int64_t layer,
                                                std::stop_token stop) {
    return std::make_unique<MergedLayer>(input, layer, std::move(stop));
}

}  // namespace espalier
