#include <QTest>
#include <cmath>
#include <limits>
#include <vector>

#include "infer/router.h"

using namespace espalier;

namespace {

constexpr float kGone = -std::numeric_limits<float>::infinity();

Routing choose(const RouterConfig& config, const std::vector<float>& logits,
               const std::vector<float>& bias = {}) {
    Routing routing;
    route(config, logits, bias, routing);
    return routing;
}

using Ids = std::vector<std::int32_t>;

bool near(std::span<const float> actual, const std::vector<double>& expected) {
    if (actual.size() != expected.size()) return false;
    for (std::size_t i = 0; i < actual.size(); ++i) {
        if (std::abs(static_cast<double>(actual[i]) - expected[i]) > 1e-6) return false;
    }
    return true;
}

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

}  // namespace

class TestRouterChoice : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void weights_are_probabilities_of_all_or_of_the_chosen() {
        const std::vector<float> logits = {0.0F, std::log(2.0F), std::log(5.0F), 0.0F};
        RouterConfig config{.num_experts = 4, .top_k = 2};
        const auto normalised = choose(config, logits);
        QCOMPARE(normalised.selected, (Ids{1, 2}));
        QVERIFY(near(normalised.weights, {2.0 / 7, 5.0 / 7}));
        config.normalises_top_k = false;
        config.scale = 3.0;
        QVERIFY(near(choose(config, logits).weights, {6.0 / 9, 15.0 / 9}));
    }

    void the_lower_id_of_equals_wins() {
        const RouterConfig config{.num_experts = 5, .top_k = 2};
        const auto routing = choose(config, {1, 2, 2, 2, 0});
        QCOMPARE(routing.selected, (Ids{1, 2}));
        QVERIFY(routing.scores.empty());  // chosen in the order of the logits
    }

    void a_selection_bias_changes_the_choice_and_not_the_weights() {
        const RouterConfig config{.num_experts = 3,
                                  .top_k = 2,
                                  .scoring = RouterScoring::Sigmoid,
                                  .normalises_top_k = false,
                                  .has_selection_bias = true};
        const auto plain = choose(config, {2.0F, 1.0F, 0.0F}, {0.0F, 0.0F, 0.0F});
        QCOMPARE(plain.selected, (Ids{0, 1}));
        const auto biased = choose(config, {2.0F, 1.0F, 0.0F}, {-1.0F, 0.0F, 0.0F});
        QCOMPARE(biased.selected, (Ids{1, 2}));
        QVERIFY(near(biased.scores, {sigmoid(2.0) - 1.0, sigmoid(1.0), 0.5}));
        QVERIFY(near(biased.weights, {sigmoid(1.0), 0.5}));
    }

    void the_normalising_epsilon_counts() {
        const RouterConfig config{.num_experts = 2,
                                  .top_k = 2,
                                  .scoring = RouterScoring::Sigmoid,
                                  .normalising_epsilon = 0.5};
        QVERIFY(near(choose(config, {0.0F, 0.0F}).weights, {1.0 / 3, 1.0 / 3}));
    }

    void only_the_best_groups_are_considered() {
        RouterConfig config{.num_experts = 6,
                            .top_k = 2,
                            .scoring = RouterScoring::Sigmoid,
                            .num_groups = 3,
                            .top_groups = 1};
        // By its best expert group 0 wins, by its best two group 1 does.
        const std::vector<float> logits = {3.0F, -3.0F, 2.0F, 2.0F, 2.5F, -1.0F};
        QCOMPARE(choose(config, logits).selected, (Ids{0, 1}));
        config.group_score = GroupScore::SumOfBestTwo;
        QCOMPARE(choose(config, logits).selected, (Ids{2, 3}));
        config.top_groups = 2;
        QCOMPARE(choose(config, logits).selected, (Ids{2, 4}));
    }

    void removed_experts_are_never_chosen_while_others_remain() {
        RouterConfig config{.num_experts = 6,
                            .top_k = 3,
                            .scoring = RouterScoring::Sigmoid,
                            .has_selection_bias = true,
                            .num_groups = 2,
                            .top_groups = 1,
                            .group_score = GroupScore::SumOfBestTwo};
        // A bias does not bring an expert back; a group with one expert left is worth that one; and
        // where a group does not suffice, the other helps out.
        const std::vector<float> bias = {0.0F, 9.0F, 9.0F, 0.0F, 0.1F, 0.0F};
        const auto routing = choose(config, {5.0F, kGone, kGone, -9.0F, -8.0F, -9.0F}, bias);
        QCOMPARE(routing.selected, (Ids{0, 3, 4}));
        for (const float weight : routing.weights) QVERIFY(std::isfinite(weight));
    }

    void tokens_are_routed_one_by_one() {
        const RouterConfig config{.num_experts = 3, .top_k = 1};
        const auto routing = choose(config, {1, 0, 0, 0, 0, 1});
        QCOMPARE(routing.selected, (Ids{0, 2}));
        QVERIFY(near(routing.weights, {1.0, 1.0}));
    }
};

QTEST_APPLESS_MAIN(TestRouterChoice)
#include "tst_router_choice.moc"
