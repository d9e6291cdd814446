#include <QTest>
#include <algorithm>
#include <cmath>

#include "calib/layer_accumulator.h"
#include "routing/criterion.h"
#include "routing/golden_example.h"

using namespace espalier;

namespace {

constexpr std::size_t kTopK = 2;
constexpr std::size_t kHidden = 2;

/// Rows that are computed together: a token of the example, or -1 for padding.
using Batch = std::vector<int>;

void add_batch(LayerAccumulator& accumulator, const Batch& batch, bool normalised) {
    std::vector<TokenTag> tags;
    std::vector<std::int32_t> selected;
    std::vector<float> weights;
    for (const int token : batch) {
        // Padding is routed like anything else; what it is must not matter.
        const auto t = static_cast<std::size_t>(token < 0 ? 0 : token);
        tags.push_back({.task = token < 0 ? -1 : 0, .half = 0});
        for (const std::size_t e : golden_example::kSelected[t]) {
            selected.push_back(static_cast<std::int32_t>(e));
            weights.push_back(static_cast<float>(golden_example::gate(t, e, normalised)));
        }
    }
    std::vector<float> logits;
    for (const int token : batch) {
        for (const double logit :
             golden_example::kLogits[static_cast<std::size_t>(std::max(0, token))])
            logits.push_back(static_cast<float>(logit));
    }
    accumulator.add_routing({.num_experts = golden_example::kExperts,
                             .top_k = kTopK,
                             .logits = logits,
                             .selected = selected,
                             .weights = weights},
                            tags);
    for (std::size_t e = 0; e < golden_example::kExperts; ++e) {
        std::vector<std::int32_t> tokens;
        std::vector<float> own_weights;
        std::vector<float> outputs;
        for (std::size_t slot = 0; slot < selected.size(); ++slot) {
            if (static_cast<std::size_t>(selected[slot]) != e) continue;
            const std::size_t row = slot / kTopK;
            const auto t = static_cast<std::size_t>(batch[row] < 0 ? 0 : batch[row]);
            tokens.push_back(static_cast<std::int32_t>(row));
            own_weights.push_back(weights[slot]);
            for (const double value : golden_example::kOutputs[e][t]) {
                outputs.push_back(static_cast<float>(value));
            }
        }
        accumulator.add_expert({.expert = static_cast<std::int64_t>(e),
                                .tokens = tokens,
                                .weights = own_weights,
                                .input = {},
                                .activation = {},
                                .output = outputs},
                               tags);
    }
}

LayerStats stats_of(const std::vector<Batch>& batches, bool normalised) {
    const RouterConfig router{
        .num_experts = golden_example::kExperts, .top_k = 2, .normalises_top_k = normalised};
    LayerAccumulator accumulator(router, 1);
    for (const Batch& batch : batches) add_batch(accumulator, batch, normalised);
    return accumulator.stats();
}

void compare(const std::vector<double>& values, const std::vector<double>& expected) {
    QCOMPARE(values.size(), expected.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
        QVERIFY2(std::abs(values[i] - expected[i]) < 1e-6,
                 qPrintable(QString::number(values[i], 'g', 9)));
    }
}

std::vector<double> score(const char* criterion, const LayerStats& stats) {
    return find_criterion(criterion).score(stats, {});
}

}  // namespace

Q_DECLARE_METATYPE(std::vector<Batch>)

class TestLayerAccumulator : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void reproduces_the_worked_example_data() {
        QTest::addColumn<std::vector<Batch>>("batches");
        QTest::addRow("one batch") << std::vector<Batch>{{0, 1, 2}};
        QTest::addRow("three batches") << std::vector<Batch>{{0}, {1}, {2}};
        QTest::addRow("five padding tokens") << std::vector<Batch>{{-1, 0, -1, -1, 1, -1, 2, -1}};
    }

    void reproduces_the_worked_example() {
        QFETCH(std::vector<Batch>, batches);
        const LayerStats stats = stats_of(batches, true);
        QCOMPARE(stats.tokens, 3);
        QCOMPARE(stats.count, (std::vector<std::int64_t>{1, 2, 2, 1}));
        compare(score("reap", stats), {3.655293, 3.924234, 5.155293, 2.689414});
        compare(score("ean_sum", stats), {5, 12, 16, 10});
        compare(score("ean_mean", stats), {5, 6, 8, 10});
        compare(score("gate_mass", stats), {0.731059, 1, 1, 0.268941});
        compare(score("wean_sum", stats), {3.655293, 7.848469, 10.310586, 2.689414});
        compare(score("max_act", stats), {4, 8, 12, 8});
        compare(score("reap", stats_of(batches, false)), {3.219571, 3.548245, 4.550897, 2.368828});
    }

    void probabilities_of_all_experts_where_gates_are_those() {
        const auto mass = [](const std::vector<Batch>& batches) {
            return stats_of(batches, false).router_mass;
        };
        // softmax of (2, 1, 0, -1) + of (0, 2, 1, -3) + of (1, 0, 3, 2)
        const std::vector<double> expected{0.8206874, 0.9312138, 0.9746950, 0.2734038};
        compare(mass({{0, 1, 2}}), expected);
        compare(mass({{-1, 0}, {1, -1}, {2}}), expected);
        QVERIFY(stats_of({{0, 1, 2}}, true).router_mass.empty());
    }

    void counts_pairs_once_a_token() {
        const LayerStats stats = stats_of({{0, 1, 2}}, true);
        QCOMPARE(stats.coactivation, (std::vector<std::int64_t>{1, 1, 0, 0,  //
                                                                1, 2, 1, 0,  //
                                                                0, 1, 2, 1,  //
                                                                0, 0, 1, 1}));
    }

    void sums_outputs_without_their_weight() {
        const LayerStats stats = stats_of({{0, 1}, {2}}, true);
        compare(stats.output_sum, {3, 4, 6, 10, 5, 15, 8, 6});
        compare(stats.norm_sq_sum, {25, 104, 178, 100});
    }

    void sorts_weights_into_bins() {
        const LayerStats stats = stats_of({{0, 1, 2}}, true);
        // 0.731059 * 32 = 23.4, 0.268941 * 32 = 8.6
        QCOMPARE(stats.gate_histogram[0 * kGateHistogramBins + 23], 1);
        QCOMPARE(stats.gate_histogram[1 * kGateHistogramBins + 8], 1);
        QCOMPARE(stats.gate_histogram[3 * kGateHistogramBins + 8], 1);
    }

    void splits_by_task_and_half() {
        LayerAccumulator accumulator({.num_experts = 2, .top_k = 1}, 2);
        const std::vector<TokenTag> tags{{.task = 0, .half = 1}, {.task = 1, .half = 0}};
        const std::vector<std::int32_t> selected{0, 0};
        const std::vector<float> weights{1.0F, 0.5F};
        const std::vector<float> logits(4);
        accumulator.add_routing({.num_experts = 2,
                                 .top_k = 1,
                                 .logits = logits,
                                 .selected = selected,
                                 .weights = weights},
                                tags);
        const std::vector<std::int32_t> tokens{0, 1};
        const std::vector<float> input{1, 2, 3, 4};
        const std::vector<float> activation{2, 3};
        const std::vector<float> output{3, 4, 0, 2};
        accumulator.add_expert({.expert = 0,
                                .tokens = tokens,
                                .weights = weights,
                                .input = input,
                                .activation = activation,
                                .output = output},
                               tags);
        const LayerStats& stats = accumulator.stats();
        QCOMPARE(stats.task_tokens, (std::vector<std::int64_t>{1, 1}));
        QCOMPARE(stats.task_count, (std::vector<std::int64_t>{1, 0, 1, 0}));
        QCOMPARE(stats.task_gate_sum, (std::vector<double>{1, 0, 0.5, 0}));
        QCOMPARE(stats.task_gated_norm_sum, (std::vector<double>{5, 0, 1, 0}));
        QCOMPARE(stats.half_count, (std::vector<std::int64_t>{1, 0, 1, 0}));
        QCOMPARE(stats.half_gated_norm_sum, (std::vector<double>{1, 0, 5, 0}));
        QCOMPARE(stats.gate_up_input_sq_sum, (std::vector<double>{10, 20, 0, 0}));
        QCOMPARE(stats.down_input_sq_sum, (std::vector<double>{13, 0}));
        QCOMPARE(stats.gate_histogram[kGateHistogramBins - 1], 1);
    }
};

QTEST_APPLESS_MAIN(TestLayerAccumulator)
#include "tst_layer_accumulator.moc"
