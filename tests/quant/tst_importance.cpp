#include <QTest>

#include "quant/importance.h"

using namespace espalier;

namespace {

/// Two experts of two columns; the second saw no token.
ExpertStats two_experts() {
    LayerStats layer;
    layer.count = {100, 0};
    layer.gate_up_input_sq_sum = {400.0, 100.0, 0.0, 0.0};
    layer.down_input_sq_sum = {50.0, 0.0};
    ExpertStats stats;
    stats.layers[3] = layer;
    stats.input_energies["blk.3.attn_q"] = {10, {20.0, 5.0}};
    stats.input_energies["output"] = {4, {8.0}};
    return stats;
}

std::vector<float> of(TensorRole role, std::int32_t layer, std::int32_t expert = -1) {
    return column_importance(two_experts(), {role, layer, expert});
}

}  // namespace

class TestImportance : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void is_the_mean_energy_of_a_column() {
        QCOMPARE(of(TensorRole::AttentionQ, 3), (std::vector<float>{2.0F, 0.5F}));
        QCOMPARE(of(TensorRole::Output, -1), (std::vector<float>{2.0F}));
    }

    void an_expert_is_shrunk_towards_its_layer_by_64_tokens() {
        // (400 + 64 * 4) / (100 + 64) and (100 + 64 * 1) / 164
        QCOMPARE(of(TensorRole::ExpertGate, 3, 0), (std::vector<float>{4.0F, 1.0F}));
        QCOMPARE(of(TensorRole::ExpertUp, 3, 0), of(TensorRole::ExpertGate, 3, 0));
    }

    void an_expert_without_tokens_gets_the_layers_mean() {
        QCOMPARE(of(TensorRole::ExpertUp, 3, 1), (std::vector<float>{4.0F, 1.0F}));
        QCOMPARE(of(TensorRole::ExpertDown, 3, 1), (std::vector<float>{0.5F}));
    }

    void few_tokens_pull_little() {
        ExpertStats stats = two_experts();
        stats.layers[3].count = {100, 64};
        stats.layers[3].down_input_sq_sum = {100.0, 6400.0};
        // mean 6500 / 164; own mean 100; half prior, half own
        const auto found = column_importance(stats, {TensorRole::ExpertDown, 3, 1});
        QCOMPARE(found.size(), std::size_t{1});
        QVERIFY(std::abs(found[0] - static_cast<float>((6400.0 + 64.0 * 6500.0 / 164.0) / 128.0)) <
                1e-4F);
    }

    void is_empty_where_nothing_was_measured() {
        QVERIFY(of(TensorRole::AttentionV, 3).empty());
        QVERIFY(of(TensorRole::ExpertGate, 2, 0).empty());
        QVERIFY(of(TensorRole::ExpertGate, 3, 2).empty());
        QVERIFY(of(TensorRole::TokenEmbedding, -1).empty());
        QVERIFY(column_importance(ExpertStats{}, {TensorRole::ExpertUp, 0, 0}).empty());
    }

    void one_object_serves_many_matrices() {
        const ExpertStats stats = two_experts();
        ColumnImportance importance(stats);
        for (int round = 0; round < 2; ++round) {
            for (const std::int32_t expert : {0, 1}) {
                for (const TensorRole role : {TensorRole::ExpertGate, TensorRole::ExpertDown}) {
                    const auto found = importance.of({role, 3, expert});
                    QVERIFY(std::vector<float>(found.begin(), found.end()) == of(role, 3, expert));
                }
            }
        }
    }
};

QTEST_APPLESS_MAIN(TestImportance)
#include "tst_importance.moc"
