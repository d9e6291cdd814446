#include <QTest>
#include <torch/types.h>

#include "base/error.h"
#include "nn/router.h"

using namespace espalier;

namespace {

/// A router whose logits are the given numbers: one hidden dimension of value 1.
RouterWeights logits_router(std::vector<float> logits, const std::vector<float>& bias) {
    const auto experts = static_cast<std::int64_t>(logits.size());
    RouterWeights router{.linear = {.weight = torch::tensor(logits).view({experts, 1}), .bias = {}},
                         .selection_bias = {}};
    if (!bias.empty()) router.selection_bias = torch::tensor(bias);
    return router;
}

std::vector<std::int64_t> chosen(const RoutedRows& routing) {
    const auto* data = routing.selected.data_ptr<std::int64_t>();
    return {data, data + routing.selected.numel()};
}

RoutedRows route_one(const RouterConfig& config, std::vector<float> logits,
                     const std::vector<bool>& removed = {}, const std::vector<float>& bias = {}) {
    return route(config, logits_router(std::move(logits), bias), torch::ones({1, 1}), removed);
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// Three groups of two, of which two count.
RouterConfig grouped(GroupScore score) {
    return {.num_experts = 6,
            .top_k = 2,
            .scoring = RouterScoring::Sigmoid,
            .num_groups = 3,
            .top_groups = 2,
            .group_score = score};
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
        const RoutedRows routing = route_one(config, {5.F, 0.F, 1.F}, {true, false, false});
        QCOMPARE(chosen(routing), (Ids{2}));
        const double expected = std::exp(1.0) / (std::exp(1.0) + 1);
        QVERIFY(std::abs(routing.weights.item<double>() - expected) < 1e-6);
    }

    void a_removed_expert_loses_against_a_probability_of_zero() {
        // exp(-200) is 0 in float32, as the removed expert's probability is.
        const RouterConfig config{.num_experts = 3, .top_k = 2};
        const RoutedRows routing = route_one(config, {9.F, 200.F, 0.F}, {true, false, false});
        QCOMPARE(chosen(routing), (Ids{1, 2}));
    }

    void sigmoid_scores_are_not_a_distribution() {
        const RouterConfig config{.num_experts = 3,
                                  .top_k = 1,
                                  .scoring = RouterScoring::Sigmoid,
                                  .normalises_top_k = false};
        const RoutedRows routing = route_one(config, {0.F, 2.F, 1.F});
        QVERIFY(std::abs(routing.weights.item<double>() - 1 / (1 + std::exp(-2.0))) < 1e-6);
    }

    void normalising_epsilon_and_scale_follow_the_sum() {
        const RouterConfig config{.num_experts = 2,
                                  .top_k = 2,
                                  .scoring = RouterScoring::Sigmoid,
                                  .normalising_epsilon = 0.5,
                                  .scale = 2.5};
        const RoutedRows routing = route_one(config, {0.F, 0.F});
        QVERIFY(std::abs(routing.weights[0][0].item<double>() - 2.5 * 0.5 / 1.5) < 1e-6);
    }

    void selection_bias_chooses_and_does_not_weigh() {
        const RouterConfig config{.num_experts = 3,
                                  .top_k = 1,
                                  .scoring = RouterScoring::Sigmoid,
                                  .normalises_top_k = false,
                                  .has_selection_bias = true};
        const RoutedRows routing = route_one(config, {2.F, 0.F, 1.F}, {}, {0.F, 5.F, 0.F});
        QCOMPARE(chosen(routing), (Ids{1}));
        QVERIFY(std::abs(routing.weights.item<double>() - 0.5) < 1e-6);
        QVERIFY(std::abs(routing.scores[0][1].item<double>() - 5.5) < 1e-6);
        QCOMPARE(routing.logits[0][1].item<float>(), 0.0F);  // as they were
    }

    void a_bias_of_the_logits_counts_in_the_weights() {
        const RouterConfig config{.num_experts = 2, .top_k = 1, .normalises_top_k = false};
        RouterWeights router = logits_router({1.F, 0.F}, {});
        router.linear.bias = torch::tensor({0.F, 3.F});
        const RoutedRows routing = route(config, router, torch::ones({1, 1}), {});
        QCOMPARE(chosen(routing), (Ids{1}));
        QVERIFY(std::abs(routing.weights.item<double>() - sigmoid(2)) < 1e-6);
    }

    void only_the_best_groups_are_considered_data() {
        QTest::addColumn<bool>("is_sum");
        QTest::addColumn<std::vector<std::int64_t>>("expected");
        // Groups {4, -9}, {2, 2}, {3, -9}: by their best 0 and 2 count, by the sum of two 1 and 0.
        QTest::addRow("by their best expert") << false << Ids{0, 4};
        QTest::addRow("by the sum of their best two") << true << Ids{0, 2};
    }

    void only_the_best_groups_are_considered() {
        QFETCH(bool, is_sum);
        QFETCH(std::vector<std::int64_t>, expected);
        const RouterConfig config = grouped(is_sum ? GroupScore::SumOfBestTwo : GroupScore::Max);
        QCOMPARE(chosen(route_one(config, {4.F, -9.F, 2.F, 2.F, 3.F, -9.F})), expected);
    }

    void equal_groups_fall_to_the_first() {
        const RouterConfig config = grouped(GroupScore::SumOfBestTwo);
        QCOMPARE(chosen(route_one(config, {1.F, 1.F, 1.F, 1.F, 1.F, 1.F})), (Ids{0, 1}));
        // Group 2 is the best, 0 and 1 are equal: 1 does not count.
        QCOMPARE(chosen(route_one(config, {0.F, 1.F, 1.F, 0.F, 3.F, 2.F})), (Ids{4, 5}));
        QCOMPARE(chosen(route_one(config, {0.F, 3.F, 3.F, 0.F, 4.F, 1.F})), (Ids{1, 4}));
    }

    void groups_are_judged_without_removed_experts() {
        RouterConfig config = grouped(GroupScore::SumOfBestTwo);
        config.top_k = 1;
        // Without expert 0 group 0 is worth less than the others, although expert 1 is the best.
        const RoutedRows routing = route_one(config, {5.F, 0.5F, 0.F, 0.4F, 0.F, 0.3F},
                                             {true, false, false, false, false, false});
        QCOMPARE(chosen(routing), (Ids{3}));
    }

    void experts_outside_fill_up_what_a_mask_leaves_of_the_best_groups() {
        RouterConfig config = grouped(GroupScore::Max);
        config.top_k = 3;
        // Groups 1 and 2 are the best; of group 1 one expert is left, of group 2 one.
        const RoutedRows routing = route_one(config, {1.F, 1.F, 3.F, 2.F, 2.F, 4.F},
                                             {false, false, true, false, true, false});
        QCOMPARE(chosen(routing), (Ids{0, 3, 5}));
    }

    void too_few_experts_are_refused() {
        const RouterConfig config{.num_experts = 3, .top_k = 2};
        QVERIFY_THROWS_EXCEPTION(Error, route_one(config, {1.F, 2.F, 3.F}, {true, true, false}));
    }
};

QTEST_APPLESS_MAIN(TestRouter)
#include "tst_router.moc"
