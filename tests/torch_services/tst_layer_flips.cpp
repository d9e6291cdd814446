#include <QTest>
#include <cmath>
#include <limits>
#include <torch/types.h>

#include "nn/experts.h"
#include "nn/golden_model.h"
#include "nn/router.h"
#include "torch_services/layer_flips.h"

using namespace espalier;

namespace {

RouterConfig config_of(const QString& kind) {
    RouterConfig config{.num_experts = 8, .top_k = 3};
    if (kind == "not normalised") config.normalises_top_k = false;
    if (kind == "groups, sigmoid, bias") {
        config.scoring = RouterScoring::Sigmoid;
        config.has_selection_bias = true;
        config.num_groups = 4;
        config.top_groups = 2;
        config.group_score = GroupScore::SumOfBestTwo;
        config.scale = 2.5;
    }
    return config;
}

/// A router whose logits are its input rows.
RouterWeights transparent_router(std::int64_t num_experts) {
    RouterWeights router;
    router.linear.weight = torch::eye(num_experts);
    router.selection_bias = torch::linspace(-0.3, 0.3, num_experts);
    return router;
}

std::vector<bool> flipped(std::vector<bool> removed, std::size_t expert) {
    removed[expert] = !removed[expert];
    return removed;
}

const std::vector<bool> kRemoved = {false, false, true, false, false, true, false, false};

}  // namespace

class TestLayerFlips : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void changed_rows_are_those_of_the_mask_data() {
        QTest::addColumn<QString>("kind");
        for (const char* kind : {"normalised", "not normalised", "groups, sigmoid, bias"}) {
            QTest::addRow("%s", kind) << QString(kind);
        }
    }

    void changed_rows_are_those_of_the_mask() {
        QFETCH(QString, kind);
        const RouterConfig config = config_of(kind);
        const RouterWeights router = transparent_router(8);
        torch::manual_seed(1);
        const torch::Tensor rows = torch::randn({64, 8});
        const RoutedRows before = route(config, router, rows, kRemoved);
        const auto flips = flip_experts(config, router, rows, kRemoved, before);
        QCOMPARE(flips.size(), std::size_t{8});
        for (std::size_t e = 0; e < flips.size(); ++e) {
            const RoutedRows expected = route(config, router, rows, flipped(kRemoved, e));
            torch::Tensor selected = before.selected.clone();
            torch::Tensor weights = before.weights.clone();
            selected.index_copy_(0, flips[e].rows, flips[e].selected);
            weights.index_copy_(0, flips[e].rows, flips[e].weights);
            QVERIFY(flips[e].rows.numel() > 0);
            if (kind == "normalised") QVERIFY(flips[e].rows.numel() < 64);
            QVERIFY(torch::equal(selected, expected.selected));
            QVERIFY(torch::allclose(weights, expected.weights, 0, 1.1e-6));
        }
    }

    void what_top_k_needs_cannot_go() {
        const RouterConfig config{.num_experts = 4, .top_k = 2};
        const RouterWeights router = transparent_router(4);
        const torch::Tensor rows = torch::randn({5, 4});
        const std::vector<bool> removed = {true, false, false, true};
        const auto flips =
            flip_experts(config, router, rows, removed, route(config, router, rows, removed));
        QVERIFY(flips[0].rows.defined() && flips[3].rows.defined());
        QVERIFY(!flips[1].rows.defined() && !flips[2].rows.defined());
    }

    void sums_are_those_of_the_layer_under_the_flipped_mask() {
        const auto model = ModelSource::open(golden_model::folder("qwen3_moe-basic"));
        const MoeConfig& config = model->config();
        const std::int64_t index = config.moe_layers().front();
        const LayerTensors weights = load_layer(*model, index, ExpertStorage::Held, {});
        const RouterConfig router = config.router_of(index);
        std::vector<bool> removed(static_cast<std::size_t>(router.num_experts), false);
        removed[1] = true;
        torch::manual_seed(2);
        const c10::NoGradGuard no_gradients;
        const torch::Tensor rows = torch::randn({40, config.hidden_size});
        const OutputGradients gradients{torch::randn_like(rows), torch::randn_like(rows)};
        const auto output = [&](const std::vector<bool>& mask) {
            return routed_experts({.experts = weights.experts,
                                   .config = config.experts,
                                   .num_experts = router.num_experts,
                                   .tap = nullptr,
                                   .stop = {}},
                                  rows, route(router, weights.router, rows, mask))
                .to(torch::kFloat64);
        };
        const torch::Tensor before = output(removed);
        const FlipSums sums = sum_flips({config, index, weights, removed}, rows, gradients);
        for (std::size_t e = 0; e < removed.size(); ++e) {
            const torch::Tensor change = output(flipped(removed, e)) - before;
            const double slope = (change * gradients.cost).sum().item<double>();
            const double curvature =
                (change * gradients.sampled).sum(1).square().sum().item<double>();
            const double size = change.norm().item<double>() + 1e-9;
            QVERIFY2(std::abs(sums.slope[e] - slope) < 1e-4 * size,
                     qPrintable(QString("%1: %2, %3").arg(e).arg(sums.slope[e]).arg(slope)));
            QVERIFY2(
                std::abs(sums.curvature[e] - curvature) < 1e-4 * (curvature + 1e-9),
                qPrintable(QString("%1: %2, %3").arg(e).arg(sums.curvature[e]).arg(curvature)));
            QVERIFY(curvature > 0);
        }
    }
};

QTEST_APPLESS_MAIN(TestLayerFlips)
#include "tst_layer_flips.moc"
