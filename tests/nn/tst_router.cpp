#include <QTest>
#include <torch/types.h>

#include "base/error.h"
#include "nn/router.h"

using namespace espalier;

namespace {

/// A router whose logits are the given numbers: one hidden dimension of value 1.
Linear logits_router(std::vector<float> logits) {
    const auto experts = static_cast<std::int64_t>(logits.size());
    return {.weight = torch::tensor(logits).view({experts, 1}), .bias = {}};
}

std::vector<std::int64_t> chosen(const Routing& routing) {
    const auto* data = routing.selected.data_ptr<std::int64_t>();
    return {data, data + routing.selected.numel()};
}

Routing route_one(const RouterConfig& config, std::vector<float> logits,
                  const std::vector<bool>& removed = {}) {
    return route(config, logits_router(std::move(logits)), torch::ones({1, 1}), removed);
}

using Ids = std::vector<std::int64_t>;

}  // namespace

class TestRouter : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void chooses_the_best_in_ascending_order() {
        const RouterConfig config{.num_experts = 5, .top_k = 3};
        QCOMPARE(chosen(route_one(config, {0.F, 4.F, 1.F, 9.F, 2.F})), (Ids{1, 3, 4}));
    }

    void equal_scores_fall_to_the_lower_id() {
        const RouterConfig config{.num_experts = 5, .top_k = 2};
        QCOMPARE(chosen(route_one(config, {1.F, 1.F, 1.F, 1.F, 1.F})), (Ids{0, 1}));
        QCOMPARE(chosen(route_one(config, {0.F, 1.F, 3.F, 1.F, 1.F})), (Ids{1, 2}));
    }

    void weights_sum_to_one_only_where_the_model_says_so() {
        RouterConfig config{.num_experts = 3, .top_k = 2};
        const std::vector<float> logits{1.F, 0.F, -1.F};
        QVERIFY(std::abs(route_one(config, logits).weights.sum().item<double>() - 1) < 1e-6);
        config.normalises_top_k = false;
        const double expected = 1 - std::exp(-1.0) / (std::exp(1.0) + 1 + std::exp(-1.0));
        QVERIFY(std::abs(route_one(config, logits).weights.sum().item<double>() - expected) < 1e-6);
    }

    void removed_experts_leave_the_denominator() {
        const RouterConfig config{.num_experts = 3, .top_k = 1, .normalises_top_k = false};
        const Routing routing = route_one(config, {5.F, 0.F, 1.F}, {true, false, false});
        QCOMPARE(chosen(routing), (Ids{2}));
        const double expected = std::exp(1.0) / (std::exp(1.0) + 1);
        QVERIFY(std::abs(routing.weights.item<double>() - expected) < 1e-6);
    }

    void a_removed_expert_loses_against_a_probability_of_zero() {
        // exp(-200) is 0 in float32, as the removed expert's probability is.
        const RouterConfig config{.num_experts = 3, .top_k = 2};
        const Routing routing = route_one(config, {9.F, 200.F, 0.F}, {true, false, false});
        QCOMPARE(chosen(routing), (Ids{1, 2}));
    }

    void sigmoid_scores_are_not_a_distribution() {
        const RouterConfig config{.num_experts = 3,
                                  .top_k = 1,
                                  .scoring = RouterScoring::Sigmoid,
                                  .normalises_top_k = false};
        const Routing routing = route_one(config, {0.F, 2.F, 1.F});
        QVERIFY(std::abs(routing.weights.item<double>() - 1 / (1 + std::exp(-2.0))) < 1e-6);
    }

    void too_few_experts_are_refused() {
        const RouterConfig config{.num_experts = 3, .top_k = 2};
        QVERIFY_THROWS_EXCEPTION(Error, route_one(config, {1.F, 2.F, 3.F}, {true, true, false}));
    }
};

QTEST_APPLESS_MAIN(TestRouter)
#include "tst_router.moc"
