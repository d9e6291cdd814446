#include <QTemporaryDir>
#include <QTest>

#include "base/error.h"
#include "model/model_source.h"
#include "pipeline/stats_for_model.h"
#include "prune/write_pruned.h"
#include "support/error_of.h"
#include "support/synthetic_model.h"

using namespace espalier;
using espalier::test::error_of;
namespace fs = std::filesystem;

namespace {

/// Numbers that say where they come from: 100 * layer + expert.
ExpertStats numbered_stats(const ModelSource& model) {
    ExpertStats stats;
    stats.model_hash = model.hash();
    stats.num_experts = model.config().router.num_experts;
    stats.top_k = model.config().router.top_k;
    stats.tasks = {"a", "b"};
    for (const std::int64_t index : model.config().moe_layers()) {
        LayerStats layer = empty_layer_stats(stats.num_experts, 2);
        const auto experts = static_cast<std::size_t>(stats.num_experts);
        for (std::size_t e = 0; e < experts; ++e) {
            layer.count[e] = 100 * index + static_cast<std::int64_t>(e);
            layer.task_count[experts + e] = 1000 + static_cast<std::int64_t>(e);
            layer.half_count[experts + e] = 2000 + static_cast<std::int64_t>(e);
            for (std::size_t f = 0; f < experts; ++f) {
                layer.coactivation[e * experts + f] = static_cast<std::int64_t>(10 * e + f);
                layer.gated_gram.push_back(static_cast<double>(10 * e + f));
            }
            layer.doubling_count[3 * experts + e] = 3000 + static_cast<std::int64_t>(e);
            TopContext context;
            context.row = static_cast<std::int64_t>(e);
            layer.top_contexts.push_back({context});
            layer.output_sum.insert(layer.output_sum.end(), {double(e), double(e) + 0.5});
        }
        layer.hidden_sq_sum = {7};
        layer.input_sample = {1, 2};
        stats.layers[index] = layer;
    }
    return stats;
}

}  // namespace

class tst_stats_for_model : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        test::write_synthetic_model({}, root() / "base");
        m_base = ModelSource::open(root() / "base");
        m_stats = numbered_stats(*m_base);
        m_cut = cut(*m_base, {0, 2, 3}, "cut");
        m_twice = cut(*m_cut, {1, 2}, "twice");  // originals 2 and 3
    }

    void every_vector_follows_the_experts() {
        const ExpertStats cut = stats_for_model(m_stats, *m_cut);
        QCOMPARE(cut.num_experts, std::int64_t{3});
        QCOMPARE(cut.model_hash, m_cut->hash());
        const LayerStats& layer = cut.layers.at(1);
        QCOMPARE(layer.count, (std::vector<std::int64_t>{100, 102, 103}));
        QCOMPARE(layer.task_count, (std::vector<std::int64_t>{0, 0, 0, 1000, 1002, 1003}));
        QCOMPARE(layer.half_count, (std::vector<std::int64_t>{0, 0, 0, 2000, 2002, 2003}));
        QCOMPARE(layer.coactivation, (std::vector<std::int64_t>{0, 2, 3, 20, 22, 23, 30, 32, 33}));
        QCOMPARE(layer.output_sum, (std::vector<double>{0, 0.5, 2, 2.5, 3, 3.5}));
        QCOMPARE(layer.gated_gram, (std::vector<double>{0, 2, 3, 20, 22, 23, 30, 32, 33}));
        QCOMPARE(layer.doubling_count.back(), 3003);
        QCOMPARE(layer.doubling_count.size(), 3 * kDoublings);
        QCOMPARE(layer.top_contexts.at(1).front().row, 2);
        QCOMPARE(layer.hidden_sq_sum, (std::vector<double>{7}));  // of no expert
        QCOMPARE(layer.input_sample, (std::vector<double>{1, 2}));
        QCOMPARE(layer.gate_histogram.size(), 3 * kGateHistogramBins);
    }

    void statistics_of_the_model_itself_stay_as_they_are() {
        QCOMPARE(stats_for_model(m_stats, *m_base).layers, m_stats.layers);
    }

    void follows_two_cuts_back_to_the_base() {
        QCOMPARE(stats_for_model(m_stats, *m_twice).layers.at(0).count,
                 (std::vector<std::int64_t>{2, 3}));
    }

    void follows_one_cut_back_to_the_cut_before() {
        const ExpertStats of_cut = numbered_stats(*m_cut);
        QCOMPARE(stats_for_model(of_cut, *m_twice, m_cut.get()).layers.at(0).count,
                 (std::vector<std::int64_t>{1, 2}));
        QVERIFY(error_of([&] { stats_for_model(of_cut, *m_twice); }));
    }

    void means_of_experts_need_statistics_of_their_own() {
        ExpertStats sampled = numbered_stats(*m_base);
        ExpertPlan plan;
        plan.merge = "partial";
        for (auto& [layer, one] : sampled.layers) {
            one.input_sample.assign(static_cast<std::size_t>(m_base->config().hidden_size), 1.0);
            plan.layers[layer].kept = {0, 2, 3};
            plan.layers[layer].groups = {{2, 1}};
        }
        write_pruned({.model = *m_base,
                      .plan = plan,
                      .out = root() / "merged",
                      .lineage = Json{{"stage", "prune"}},
                      .stats = &sampled});
        const auto merged = ModelSource::open(root() / "merged");
        const auto error = error_of([&] { stats_for_model(m_stats, *merged); });
        QVERIFY(error && error->hint() == "Calibrate this model.");
        // Its own hold for what is cut from it, as long as nothing else is merged.
        const ExpertStats own = numbered_stats(*merged);
        const auto cut_from_it = cut(*merged, {0, 1}, "cut_from_merged");
        QCOMPARE(stats_for_model(own, *cut_from_it, merged.get()).layers.at(0).count,
                 (std::vector<std::int64_t>{0, 1}));
    }

    void refuses_statistics_of_another_model() {
        ExpertStats foreign = m_stats;
        foreign.model_hash = std::string(64, '0');
        const auto error = error_of([&] { stats_for_model(foreign, *m_base); });
        QVERIFY(error);
        QCOMPARE(error->code(), ErrorCode::RunRecipe);
    }

    void refuses_positions_that_do_not_exist() {
        QVERIFY(error_of([&] { restrict_stats(m_stats, {{0, 4}, {0, 1}}); }));
        QVERIFY(error_of([&] { restrict_stats(m_stats, {{0, -1}, {0, 1}}); }));
        QVERIFY(error_of([&] { restrict_stats(m_stats, {{0, 1}}); }));
    }

private:
    fs::path root() const { return fs::path(m_dir.path().toStdString()); }

    std::unique_ptr<ModelSource> cut(const ModelSource& model,
                                     const std::vector<std::int32_t>& kept,
                                     const char* name) const {
        ExpertPlan plan;
        plan.model_hash = model.hash();
        for (const std::int64_t layer : model.config().moe_layers()) plan.layers[layer].kept = kept;
        write_pruned({model, plan, root() / name, Json{{"stage", "prune"}}});
        return ModelSource::open(root() / name);
    }

    QTemporaryDir m_dir;
    std::unique_ptr<ModelSource> m_base;
    std::unique_ptr<ModelSource> m_cut;
    std::unique_ptr<ModelSource> m_twice;
    ExpertStats m_stats;
};

QTEST_APPLESS_MAIN(tst_stats_for_model)
#include "tst_stats_for_model.moc"
