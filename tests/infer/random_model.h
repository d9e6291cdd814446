#pragma once

#include <cmath>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "kernels/decode.h"
#include "model/model_source.h"
#include "model/model_tensors.h"

namespace espalier {

/// How a RandomModel says that its tensors are stored; their values are the same.
enum class RandomLayout {
    InPlace,
    Spread,       ///< matrices: every second row of a larger one
    Shuffled,     ///< matrices: rows in reverse order
    OnlyDecoded,  ///< matrices: transposed or so, stored() has none
};

/// A model of any config with random weights, in memory.
class RandomModel : public ModelSource {
public:
    RandomModel(MoeConfig config, std::uint64_t seed, RandomLayout layout = RandomLayout::InPlace,
                bool rounds_to_bfloat16 = false)
        : layout_(layout) {
        config_ = std::move(config);
        path_ = "random";
        Rng rng(seed);
        for (const ModelTensor& tensor : model_tensors(config_)) {
            Tensor& made = tensors_[tensor.key];
            made.shape = tensor.shape;
            made.values = values(tensor, rng);
            if (rounds_to_bfloat16) round(made.values);
            store(made);
        }
    }

    bool has(const TensorKey& key) const override { return tensors_.contains(key); }
    std::optional<TensorView> view(const TensorKey& key) const override {
        if (layout_ != RandomLayout::InPlace) return std::nullopt;
        return stored(key)->view;
    }
    std::optional<StoredTensor> stored(const TensorKey& key) const override {
        const Tensor& tensor = tensors_.at(key);
        if (tensor.stored.empty()) return std::nullopt;
        Shape shape = tensor.shape;
        if (!tensor.places.empty() && layout_ == RandomLayout::Spread) shape[0] *= 2;
        return StoredTensor{.view = {DType::F32, shape, std::as_bytes(std::span(tensor.stored))},
                            .rows = RowOrder::AsNamed,
                            .row_places = tensor.places};
    }
    void decode(const TensorKey& key, std::span<float> out) const override {
        const auto& values = tensors_.at(key).values;
        std::copy(values.begin(), values.end(), out.begin());
    }
    Shape shape(const TensorKey& key) const override { return tensors_.at(key).shape; }
    void release_layer(std::int32_t) const override {}
    std::span<const NamedTensor> stored_tensors() const override { return {}; }
    std::optional<TensorKey> role_of(std::string_view) const override { return std::nullopt; }
    std::optional<TokenizerFiles> tokenizer_files() const override { return std::nullopt; }

private:
    struct Tensor {
        Shape shape;
        std::vector<float> values;
        std::vector<float> stored;
        std::vector<std::int32_t> places;
    };

    static std::vector<float> values(const ModelTensor& tensor, Rng& rng) {
        const bool is_matrix = tensor.shape.size() > 1;
        const bool is_norm = is_norm_role(tensor.key.role);
        // Matrices keep the size of what goes through them; the rest is of size 1.
        const double scale = is_norm ? 0.2
                             : is_matrix && tensor.key.role != TensorRole::TokenEmbedding
                                 ? 1.0 / std::sqrt(static_cast<double>(tensor.shape[1]))
                                 : 0.7;
        std::vector<float> made(num_elements(tensor.shape).value());
        for (float& value : made) {
            value = static_cast<float>(rng.normal() * scale + (is_norm ? 1.0 : 0.0));
        }
        return made;
    }
    static bool is_norm_role(TensorRole role) {
        switch (role) {
            case TensorRole::OutputNorm:
            case TensorRole::AttentionNorm:
            case TensorRole::AttentionQNorm:
            case TensorRole::AttentionKNorm:
            case TensorRole::LatentQNorm:
            case TensorRole::LatentKvNorm:
            case TensorRole::DeltaNorm:
            case TensorRole::FeedForwardNorm:
                return true;
            default:
                return false;
        }
    }
    static void round(std::vector<float>& values) {
        std::vector<std::byte> halves(values.size() * 2);
        kernels::encode_float(DType::BF16, values, halves);
        kernels::decode(DType::BF16, halves, values);
    }
    void store(Tensor& tensor) const {
        tensor.stored = tensor.values;
        if (layout_ == RandomLayout::InPlace || tensor.shape.size() < 2) return;
        if (layout_ == RandomLayout::OnlyDecoded) {
            tensor.stored.clear();
            return;
        }
        const auto rows = static_cast<std::size_t>(tensor.shape[0]);
        const std::size_t columns = tensor.values.size() / rows;
        tensor.places.resize(rows);
        const bool is_spread = layout_ == RandomLayout::Spread;
        if (is_spread) tensor.stored.assign(2 * tensor.values.size(), std::nanf(""));
        for (std::size_t r = 0; r < rows; ++r) {
            const std::size_t place = is_spread ? 2 * r + 1 : rows - 1 - r;
            tensor.places[r] = static_cast<std::int32_t>(place);
            std::copy_n(tensor.values.begin() + static_cast<std::ptrdiff_t>(r * columns), columns,
                        tensor.stored.begin() + static_cast<std::ptrdiff_t>(place * columns));
        }
    }

    RandomLayout layout_;
    std::map<TensorKey, Tensor> tensors_;
};

}  // namespace espalier
