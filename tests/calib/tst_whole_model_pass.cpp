#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <filesystem>

#include <c10/core/InferenceMode.h>

#include "base/atomic_file.h"
#include "base/rng.h"
#include "calib/calibrate.h"
#include "calib/layer_accumulator.h"
#include "calib/layer_measurement.h"
#include "nn/block.h"
#include "nn/torch_tensors.h"
#include "routing/expert_stats.h"
#include "support/synthetic_model.h"

using namespace espalier;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kRows = 24;
constexpr std::size_t kLength = 300;

std::vector<std::vector<std::int32_t>> random_rows() {
    Rng rng(11);
    std::vector<std::vector<std::int32_t>> rows(kRows, std::vector<std::int32_t>(kLength));
    for (auto& row : rows) {
        for (auto& id : row) id = static_cast<std::int32_t>(rng.below(128));
    }
    return rows;
}

/// Adds what a layer computes for one window.
class Tap final : public LayerTap {
public:
    Tap(LayerAccumulator& accumulator, std::vector<TokenTag> tags)
        : accumulator_(accumulator), tags_(std::move(tags)) {}

    void on_routing(const RoutedRows& routing) override {
        const torch::Tensor selected = routing.selected.to(torch::kInt32);
        accumulator_.add_routing({.num_experts = routing.logits.size(1),
                                  .top_k = selected.size(1),
                                  .logits = values(routing.logits),
                                  .selected = {selected.data_ptr<std::int32_t>(),
                                               static_cast<std::size_t>(selected.numel())},
                                  .weights = values(routing.weights)},
                                 tags_);
    }
    void on_input(std::span<const TensorRole> roles, const torch::Tensor& rows) override {
        if (roles.front() == TensorRole::Router) input_ = rows;
    }
    void on_expert(const ExpertCall& call) override {
        const std::vector<std::int32_t> tokens(call.tokens.begin(), call.tokens.end());
        accumulator_.add_expert({.expert = call.expert,
                                 .tokens = tokens,
                                 .weights = call.weights,
                                 .input = values(input_),
                                 .activation = values(call.activation),
                                 .output = values(call.output)},
                                tags_);
    }

private:
    LayerAccumulator& accumulator_;
    std::vector<TokenTag> tags_;
    torch::Tensor input_;
};

/// The whole model in memory, one window after the other through all layers: nothing is cut into
/// micro-batches, and no hidden state leaves memory.
std::vector<LayerStats> whole_model_stats(const ModelSource& source,
                                          const std::vector<std::vector<std::int32_t>>& rows) {
    const c10::InferenceMode inference;
    const MoeConfig& config = source.config();
    const auto num_layers = static_cast<std::size_t>(config.num_layers());
    std::vector<LayerTensors> weights;
    std::vector<LayerAccumulator> accumulators;
    for (std::size_t layer = 0; layer < num_layers; ++layer) {
        weights.push_back(load_layer(source, static_cast<std::int64_t>(layer), {}));
        accumulators.emplace_back(config.router, 1);
    }
    const Rotary rotary(config.attention.rope, kLength);
    const Sequences sequence{{static_cast<std::int64_t>(kLength)}};
    const std::vector<bool> all_kept;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        const std::vector<TokenTag> tags(kLength, {0, static_cast<std::int32_t>(row % 2)});
        torch::Tensor hidden = decode_rows(source, {TensorRole::TokenEmbedding}, rows[row]);
        for (std::size_t layer = 0; layer < num_layers; ++layer) {
            Tap tap(accumulators[layer], tags);
            hidden = run_block({.config = config,
                                .layer = static_cast<std::int64_t>(layer),
                                .weights = weights[layer],
                                .rotary = rotary,
                                .sequences = sequence,
                                .removed = all_kept,
                                .tap = &tap,
                                .stop = {}},
                               hidden);
        }
    }
    std::vector<LayerStats> stats;
    for (const auto& accumulator : accumulators) stats.push_back(accumulator.stats());
    return stats;
}

/// Products over more rows at once may be rounded otherwise: float32's 6e-8, some hundred times.
void compare_sums(const std::vector<double>& streamed, const std::vector<double>& whole,
                  const char* name) {
    QVERIFY2(!whole.empty() && streamed.size() == whole.size(), name);
    const double largest = *std::max_element(whole.begin(), whole.end());
    QVERIFY2(largest > 0, name);
    for (std::size_t i = 0; i < whole.size(); ++i) {
        QVERIFY2(std::abs(streamed[i] - whole[i]) <= 2e-5 * std::abs(whole[i]) + 1e-9 * largest,
                 qPrintable(QString("%1[%2]: %3 is not %4")
                                .arg(name)
                                .arg(i)
                                .arg(streamed[i], 0, 'g', 12)
                                .arg(whole[i], 0, 'g', 12)));
    }
}

}  // namespace

class TestWholeModelPass : public QObject {
    Q_OBJECT

private Q_SLOTS:
    /// Layer by layer over micro-batches of many windows, with hidden states in a file in between.
    void streaming_the_layers_changes_no_statistic() {
        const QTemporaryDir folder;
        const fs::path path = folder.path().toStdString();
        test::SyntheticModel shape;
        shape.num_layers = 4;
        shape.num_experts = 8;
        test::write_synthetic_model(shape, path / "model");
        const auto rows = random_rows();
        write_file(path / "ids.json", Json(rows).dump());
        calibrate({.model = path / "model",
                   .ids = path / "ids.json",
                   .out = path / "stats.safetensors",
                   .context = kLength,
                   .compute_dtype = "F32"},
                  {}, {});

        const ExpertStats streamed = load_expert_stats(path / "stats.safetensors", true);
        const auto whole = whole_model_stats(*ModelSource::open(path / "model"), rows);
        QCOMPARE(streamed.layers.size(), whole.size());
        for (const auto& [index, layer] : streamed.layers) {
            const LayerStats& other = whole[static_cast<std::size_t>(index)];
            QCOMPARE(layer.tokens, static_cast<std::int64_t>(kRows * kLength));
            QCOMPARE(layer.tokens, other.tokens);
            QCOMPARE(layer.count, other.count);
            QCOMPARE(layer.task_count, other.task_count);
            QCOMPARE(layer.half_count, other.half_count);
            QCOMPARE(layer.coactivation, other.coactivation);
            compare_sums(layer.gate_sum, other.gate_sum, "gate_sum");
            compare_sums(layer.norm_sum, other.norm_sum, "norm_sum");
            compare_sums(layer.gated_norm_sum, other.gated_norm_sum, "gated_norm_sum");
            compare_sums(layer.gated_norm_sq_sum, other.gated_norm_sq_sum, "gated_norm_sq_sum");
            compare_sums(layer.gate_up_input_sq_sum, other.gate_up_input_sq_sum, "gate_up_input");
            compare_sums(layer.down_input_sq_sum, other.down_input_sq_sum, "down_input");
        }
    }
};

QTEST_APPLESS_MAIN(TestWholeModelPass)
#include "tst_whole_model_pass.moc"
