#include <QTest>
#include <array>
#include <cmath>
#include <torch/types.h>

#include "nn/experts.h"
#include "nn/golden_model.h"
#include "nn/router.h"
#include "torch_services/project_experts.h"

using namespace espalier;

class TestProjectExperts : public QObject {
    Q_OBJECT

private Q_SLOTS:
    /// Weighted by the router's choice, the projections add up to the routed output's.
    void projections_add_up_to_the_layers_output() {
        const auto model = ModelSource::open(golden_model::folder("qwen3_moe-basic"));
        const MoeConfig& config = model->config();
        const std::int64_t index = config.moe_layers().front();
        const LayerTensors weights = load_layer(*model, index, {});
        const RouterConfig router = config.router_of(index);
        torch::manual_seed(2);
        const c10::NoGradGuard no_gradients;
        const torch::Tensor rows = torch::randn({40, config.hidden_size});
        const OutputGradients gradients{torch::randn_like(rows),
                                        {torch::randn_like(rows), torch::randn_like(rows)}};
        const ProjectedLayer projected = project_experts(config, weights, rows, gradients);
        const auto num_experts = static_cast<std::size_t>(router.num_experts);
        QCOMPARE(projected.logits.size(), 40 * num_experts);
        QCOMPARE(projected.sampled.size(), 40 * num_experts * 2);

        std::vector<bool> removed(num_experts, false);
        removed[1] = true;
        const RoutedRows routing = route(router, weights.router, rows, removed);
        const torch::Tensor output = routed_experts({.experts = weights.experts,
                                                     .config = config.experts,
                                                     .num_experts = router.num_experts,
                                                     .tap = nullptr,
                                                     .stop = {}},
                                                    rows, routing);
        const auto selected = routing.selected.accessor<std::int64_t, 2>();
        const auto gates = routing.weights.accessor<float, 2>();
        const torch::Tensor logits = weights.router.linear(rows);
        for (std::int64_t t = 0; t < 40; ++t) {
            double cost = 0;
            std::array<double, 2> sampled{};
            for (std::int64_t j = 0; j < router.top_k; ++j) {
                const auto at = static_cast<std::size_t>(t) * num_experts +
                                static_cast<std::size_t>(selected[t][j]);
                cost += static_cast<double>(gates[t][j] * projected.cost[at]);
                for (std::size_t n = 0; n < 2; ++n) {
                    sampled[n] += static_cast<double>(gates[t][j] * projected.sampled[at * 2 + n]);
                }
            }
            const auto product = [&](const torch::Tensor& gradient) {
                return (output[t] * gradient[t]).sum().item<double>();
            };
            const double size = output[t].norm().item<double>() + 1e-9;
            QVERIFY(std::abs(cost - product(gradients.cost)) < 1e-4 * size);
            for (std::size_t n = 0; n < 2; ++n) {
                QVERIFY(std::abs(sampled[n] - product(gradients.sampled[n])) < 1e-4 * size);
            }
            QVERIFY(std::abs(static_cast<double>(
                                 projected.logits[static_cast<std::size_t>(t) * num_experts]) -
                             logits[t][0].item<double>()) < 1e-5);
        }
    }
};

QTEST_APPLESS_MAIN(TestProjectExperts)
#include "tst_project_experts.moc"
