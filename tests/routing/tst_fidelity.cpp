#include <QTest>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/rng.h"
#include "routing/coactivation.h"
#include "routing/expert_load.h"
#include "routing/fidelity.h"
#include "routing/output_fidelity.h"

using namespace espalier;

namespace {

using Ids = std::vector<std::int32_t>;
using Row = std::vector<float>;

bool near(double a, double b, double tolerance = 1e-6) { return std::abs(a - b) <= tolerance; }

/// A softmax router's choice: the k largest logits in ascending id, gates renormalised.
struct Choice {
    Ids selected;
    Row weights;
};

Choice choose(const Row& logits, std::size_t k) {
    Ids order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
        return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)];
    });
    Choice choice;
    choice.selected.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k));
    std::sort(choice.selected.begin(), choice.selected.end());
    double sum = 0;
    for (const auto e : choice.selected)
        sum += std::exp(static_cast<double>(logits[static_cast<std::size_t>(e)]));
    for (const auto e : choice.selected) {
        choice.weights.push_back(static_cast<float>(
            std::exp(static_cast<double>(logits[static_cast<std::size_t>(e)])) / sum));
    }
    return choice;
}

std::vector<Row> random_logits(std::size_t tokens, std::size_t experts, std::uint64_t seed) {
    Rng rng(seed);
    std::vector<Row> rows(tokens, Row(experts));
    for (Row& row : rows) {
        for (float& value : row) value = static_cast<float>(rng.normal());
    }
    return rows;
}

Ids all_of(std::size_t experts) {
    Ids ids(experts);
    std::iota(ids.begin(), ids.end(), 0);
    return ids;
}

Row sliced(const Row& row, const Ids& kept) {
    Row result;
    for (const auto e : kept) result.push_back(row[static_cast<std::size_t>(e)]);
    return result;
}

FidelityScope scope_of(std::int64_t experts, Ids kept,
                       RouterScoring scoring = RouterScoring::Softmax) {
    return {.layer = 3,
            .router = {.num_experts = experts, .top_k = 1, .scoring = scoring},
            .kept = std::move(kept)};
}

LayerFidelity compare(const std::vector<Row>& base, const std::vector<Row>& current,
                      const Ids& kept, std::size_t k) {
    FidelityAccumulator sum(scope_of(static_cast<std::int64_t>(base.front().size()), kept));
    for (std::size_t t = 0; t < base.size(); ++t) {
        const Choice a = choose(base[t], k);
        const Choice b = choose(current[t], k);
        sum.add({base[t], a.selected, a.weights, current[t], b.selected, b.weights});
    }
    return sum.result();
}

void verify_identity(const LayerFidelity& same) {
    QCOMPARE(same.recall, 1.0);
    QCOMPARE(same.jaccard, 1.0);
    QCOMPARE(same.exact, 1.0);
    QCOMPARE(same.top1, 1.0);
    QVERIFY(near(same.weighted_jaccard, 1.0));
    QVERIFY(near(same.restricted_kl, 0.0));
    QVERIFY(near(same.restricted_js, 0.0));
    QVERIFY(near(same.load_tv, 0.0));
    QVERIFY(near(same.entropy_change, 0.0));
    QCOMPARE(same.new_dead, std::int64_t{0});
    QCOMPARE(same.shape, same.base_shape);
    QVERIFY(near(same.coactivation, 1.0));
    QVERIFY(near(same.router_entropy, same.base_entropy));
    QCOMPARE(same.near_margin, same.base_near_margin);
    QCOMPARE(same.group_recall, 1.0);
    for (const auto flips : same.margin_flips) QCOMPARE(flips, std::int64_t{0});
}

}  // namespace

class TestFidelity : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void load_metrics_have_their_golden_values() {
        const std::vector<double> load{0.4, 0.3, 0.2, 0.1};
        const std::vector<double> even(4, 0.25);
        QVERIFY(near(total_variation(load, even), 0.2));
        QVERIFY(near(js_divergence(load, even), 0.027866));
        QVERIFY(near(js_distance(load, even), 0.200503));
        const LoadShape shape = load_shape(load);
        QVERIFY(near(shape.entropy, 0.923220));
        QVERIFY(near(shape.variation, 0.447214));
        QVERIFY(near(shape.gini, 0.25));
        QCOMPARE(shape.dead, std::int64_t{0});
    }

    void pairs_are_counted_and_compared() {
        // Two of four tokens choose {0, 1}: C_01 = 0.5, f_0 k = 0.75, f_1 k = 0.75.
        Coactivation pairs(4);
        for (const Ids& selected : {Ids{0, 1}, Ids{1, 0}, Ids{0, 2}, Ids{1, 3}})
            pairs.add(selected);
        QCOMPARE(pairs.share(0, 1), 0.5);
        QCOMPARE(pairs.share(3, 1), 0.25);
        QVERIFY(near(pairs.lift(0, 1), 0.5 / (0.75 * 0.75)));
        QCOMPARE(pairs.lift(2, 3), 0.0);
        Coactivation other(4);
        other.add(Ids{0, 1});
        // (2, 1, 1) against (1, 0, 0).
        QVERIFY(near(Coactivation::cosine(pairs, other), 2 / std::sqrt(6.0)));
        QVERIFY(near(Coactivation::cosine(pairs, pairs), 1.0));
        QCOMPARE(Coactivation::cosine(pairs, Coactivation(4)), 0.0);
        QCOMPARE(Coactivation::cosine(Coactivation(4), Coactivation(4)), 1.0);
    }

    void outputs_are_compared_by_angle_and_by_size() {
        OutputFidelity sum;
        sum.add(Row{3, 4}, Row{6, 8});  // the same direction, twice as long: error 25 of 25
        sum.add(Row{0, 5}, Row{5, 0});  // at right angles: error 50 of 25
        QVERIFY(near(sum.cosine(), 0.5));
        QVERIFY(near(sum.normalised_error(), 75.0 / 50.0));
        QVERIFY(near(norm_ratio(Row{3, 4}, Row{0, 10}), 0.5));
        QCOMPARE(norm_ratio(Row{3, 4}, Row{0, 0}), 0.0);
    }

    void entropy_and_near_ties_of_both_routers() {
        const double even = std::log(4.0);
        const LayerFidelity result = compare({{0, 0, 0, 0}}, {{50, 0, 0, 0}}, all_of(4), 1);
        QVERIFY(near(result.base_entropy, even));
        QVERIFY(near(result.router_entropy, 0.0));
        QCOMPARE(result.base_near_margin, 1.0);
        QCOMPARE(result.near_margin, 0.0);
    }

    void groups_are_compared_where_there_are_some() {
        FidelityScope scope = scope_of(4, all_of(4));
        scope.router.num_groups = 2;
        scope.router.top_groups = 1;
        FidelityAccumulator sum(scope);
        const Row base{4, 1, 2, 0};
        const Row other{1, 0, 4, 2};  // the second group leads
        const Ids first{0};
        const Ids third{2};
        const Row weight{1};
        sum.add({base, first, weight, base, first, weight});
        sum.add({base, first, weight, other, third, weight});
        QCOMPARE(sum.result().group_recall, 0.5);
    }

    void load_counts_dead_and_rare_experts() {
        const LoadShape shape = load_shape(std::vector<double>{0.0, 0.01, 0.49, 0.5});
        QCOMPARE(shape.dead, std::int64_t{1});
        QCOMPARE(shape.rare, std::int64_t{2});  // below 0.1 / 4
        QCOMPARE(load_shape(std::vector<double>{1.0}).entropy, 1.0);
    }

    void chance_of_missing_an_expert_is_exact() {
        QCOMPARE(chance_of_none(0, 9), 1.0);
        QCOMPARE(chance_of_none(1, 1), 0.5);
        QVERIFY(near(chance_of_none(5, 5), 1.0 / 252.0, 1e-15));  // 1 of the 10 over 5 ways
        QVERIFY(near(chance_of_none(14, 4096), 6.035979818605831e-05, 1e-15));
        QVERIFY(near(chance_of_none(15, 4096), 3.0128233821898997e-05, 1e-15));
    }

    void expert_is_newly_dead_if_chance_does_not_explain_it_data() {
        QTest::addColumn<int>("chosen");
        QTest::addColumn<int>("tokens");
        QTest::addColumn<std::size_t>("experts");
        QTest::addColumn<bool>("dead");
        const auto row = [](const char* name, int chosen, int tokens, std::size_t experts,
                            bool dead) {
            QTest::addRow("%s", name) << chosen << tokens << experts << dead;
        };
        row("the only token", 1, 1, 4, false);
        row("all of a few tokens", 5, 5, 4, false);
        // 14: 6.0e-5 and 15: 3.0e-5, against 1e-3 / 32 = 3.1e-5
        row("rare, one choice too few", 14, 4096, 32, false);
        row("rare, just enough", 15, 4096, 32, true);
        row("more experts, more chances", 15, 4096, 128, false);
        // 15 of 64: 1.2e-5, the same choices among fewer tokens say more
        row("often on a short probe", 15, 64, 32, true);
    }

    // The base gives the last expert `chosen` of the tokens, the other model none.
    void expert_is_newly_dead_if_chance_does_not_explain_it() {
        QFETCH(int, chosen);
        QFETCH(int, tokens);
        QFETCH(std::size_t, experts);
        QFETCH(bool, dead);
        Row usual(experts, 0.0F);
        usual[0] = 1;
        Row other = usual;
        other.back() = 2;
        std::vector<Row> base(static_cast<std::size_t>(tokens), usual);
        std::fill_n(base.begin(), chosen, other);
        const std::vector<Row> current(base.size(), usual);
        const LayerFidelity result = compare(base, current, all_of(experts), 1);
        QCOMPARE(result.new_dead, std::int64_t{1});
        QCOMPARE(result.new_dead_share, dead ? 1.0 / static_cast<double>(experts) : 0.0);
    }

    void restricted_base_has_its_golden_values() {
        const Row base{2, 1, 0, -1};
        const Choice all = choose(base, 4);
        const Row current{1.5F, 0.5F, -1};
        const Choice chosen = choose(current, 3);
        FidelityAccumulator sum(scope_of(4, {0, 2, 3}));
        sum.add({base, all.selected, all.weights, current, chosen.selected, chosen.weights});
        const LayerFidelity result = sum.result();
        QVERIFY(near(result.restricted_kl, 0.066493));
        QVERIFY(near(result.lost_mass, 0.236883));
        QCOMPARE(result.displaced, 0.25);
        QCOMPARE(result.untouched, 0.0);
        QCOMPARE(result.recall, 1.0);
    }

    void model_equals_itself() {
        const auto logits = random_logits(200, 16, 1);
        const LayerFidelity same = compare(logits, logits, all_of(16), 4);
        verify_identity(same);
        QCOMPARE(same.tokens, std::int64_t{200});
        QCOMPARE(same.displaced, 0.0);
        QCOMPARE(same.untouched, 1.0);
    }

    void frozen_sliced_router_is_perfect_on_the_kept_set() {
        const auto logits = random_logits(200, 16, 2);
        const Ids kept{0, 1, 3, 4, 6, 9, 10, 15};
        std::vector<Row> current;
        for (const Row& row : logits) current.push_back(sliced(row, kept));
        const LayerFidelity same = compare(logits, current, kept, 4);
        verify_identity(same);
        QVERIFY(same.displaced > 0.3 && same.displaced < 0.7);
        QVERIFY(same.lost_mass > 0.3 && same.lost_mass < 0.7);
    }

    void shifting_all_logits_changes_nothing() {
        const auto logits = random_logits(100, 8, 3);
        auto shifted = logits;
        for (Row& row : shifted) {
            for (float& value : row) value += 2.0F;
        }
        verify_identity(compare(logits, shifted, all_of(8), 2));
    }

    void divergence_grows_with_the_square_of_a_small_change() {
        const auto logits = random_logits(300, 8, 4);
        const auto noise = random_logits(300, 8, 5);
        const auto divergence = [&](float size) {
            auto changed = logits;
            for (std::size_t t = 0; t < logits.size(); ++t) {
                for (std::size_t e = 0; e < 8; ++e) changed[t][e] += size * noise[t][e];
            }
            return compare(logits, changed, all_of(8), 2).restricted_kl;
        };
        const double slope = std::log(divergence(0.1F) / divergence(0.01F)) / std::log(10.0);
        QVERIFY2(std::abs(slope - 2.0) < 0.2, qPrintable(QString::number(slope)));
    }

    void overlap_is_counted_by_hand() {
        // Base chooses {0, 1}; the current router {0, 2}: one of two stays.
        const LayerFidelity result = compare({{4, 3, 1, 0}}, {{4, 1, 3, 0}}, all_of(4), 2);
        QCOMPARE(result.recall, 0.5);
        QCOMPARE(result.jaccard, 1.0 / 3.0);
        QCOMPARE(result.exact, 0.0);
        QCOMPARE(result.top1, 1.0);
        QCOMPARE(result.load_tv, 0.5);
        QCOMPARE(result.new_dead, std::int64_t{1});
        QCOMPARE(result.margin_tokens[4], std::int64_t{1});  // margin 2
        QCOMPARE(result.margin_flips[4], std::int64_t{1});
        const double g = 1 / (1 + std::exp(-1.0));  // both give expert 0 this gate
        QVERIFY(near(result.weighted_jaccard, g / (g + 2 * (1 - g))));
    }

    void removed_experts_are_replaced_by_the_next_best_before_comparing() {
        // Expert 0 is gone: the restricted base chooses {1, 2}, and so does the current router.
        const Row base{4, 3, 1, 0};
        const LayerFidelity result = compare({base}, {sliced(base, {1, 2, 3})}, {1, 2, 3}, 2);
        QCOMPARE(result.recall, 1.0);
        QCOMPARE(result.displaced, 0.5);
        QVERIFY(near(result.lost_mass, 1 / (1 + std::exp(-1.0))));
    }

    void selection_bias_decides_the_restricted_choice() {
        const Row logits{0, 0, 0, 0};
        const Row scores{9, 0, 0, 5};  // with a bias on experts 0 and 3
        const Ids base_selected{0};
        const Row weight{1};
        const Row current{0, 0, 0};
        const Ids selected{2};  // position of expert 3
        FidelityAccumulator sum(scope_of(4, {1, 2, 3}, RouterScoring::Sigmoid));
        sum.add({logits, base_selected, weight, current, selected, weight, scores});
        QCOMPARE(sum.result().recall, 1.0);
        QVERIFY(near(sum.result().restricted_kl, 0.0));
    }

    void only_experts_of_the_best_groups_can_be_chosen_data() {
        QTest::addColumn<bool>("removes");
        QTest::addRow("as the base chose") << false;
        QTest::addRow("the removed expert carried its group") << true;
    }

    // Two groups of three, one counts, by the sum of its best two scores.
    void only_experts_of_the_best_groups_can_be_chosen() {
        QFETCH(bool, removes);
        FidelityScope scope = scope_of(6, {0, 1, 2, 3, 4, 5}, RouterScoring::Sigmoid);
        scope.router.num_groups = 2;
        scope.router.top_groups = 1;
        scope.router.group_score = GroupScore::SumOfBestTwo;
        const Row logits(6, 0.0F);
        // Group 0 is worth 11, group 1 10. Expert 3 scores more than 1 and 2, in the wrong group.
        const Row scores{9, 2, 1, 8, 2, 0};
        const Ids base_selected{0, 1};
        const Row weights{0.5F, 0.5F};
        Row current(6, 0.0F);
        Ids selected{0, 1};
        if (removes) {  // without expert 0 group 1 is the better one
            scope.kept = {1, 2, 3, 4, 5};
            current.resize(5);
            selected = {2, 3};  // experts 3 and 4
        }
        FidelityAccumulator sum(scope);
        sum.add({logits, base_selected, weights, current, selected, weights, scores});
        const LayerFidelity result = sum.result();
        QCOMPARE(result.exact, 1.0);
        QCOMPARE(result.displaced, removes ? 0.5 : 0.0);
        // The next in the same group: 2 - 1, or 2 - 0.
        QCOMPARE(result.margin_tokens[4], std::int64_t{1});
    }

    void merging_equals_one_pass() {
        const auto base = random_logits(60, 8, 6);
        const auto current = random_logits(60, 8, 7);
        const auto run = [&](std::size_t begin, std::size_t end) {
            FidelityAccumulator sum(scope_of(8, all_of(8)));
            for (std::size_t t = begin; t < end; ++t) {
                const Choice a = choose(base[t], 2);
                const Choice b = choose(current[t], 2);
                sum.add({base[t], a.selected, a.weights, current[t], b.selected, b.weights});
            }
            return sum;
        };
        FidelityAccumulator parts = run(0, 25);
        parts.merge(run(25, 60));
        const LayerFidelity whole = run(0, 60).result();
        const LayerFidelity merged = parts.result();
        QCOMPARE(merged.tokens, whole.tokens);
        QVERIFY(near(merged.restricted_kl, whole.restricted_kl, 1e-12));
        QVERIFY(near(merged.load_tv, whole.load_tv, 1e-12));
        QCOMPARE(merged.margin_flips, whole.margin_flips);
        QCOMPARE(merged.layer, std::int64_t{3});
    }

    void nothing_added_gives_zeros() {
        const FidelityAccumulator sum(scope_of(4, all_of(4)));
        QCOMPARE(sum.result().tokens, std::int64_t{0});
        QCOMPARE(sum.result().recall, 0.0);
    }

    /// Experts 0 and 1 are one now, and 2 and 3: exp(2) + exp(1) is exp(2) times 1 + exp(-1).
    void merged_experts_count_as_one() {
        FidelityScope scope = scope_of(4, {0, 2});
        scope.merged = {{1, 0}, {3, 1}};
        FidelityAccumulator sum(scope);
        const Row base{2, 1, 0, -1};
        const Row gates{0.7F, 0.3F};
        const Row current{2, 0};
        sum.add({base, Ids{0, 1}, gates, current, Ids{0, 1}, Row{0.9F, 0.1F}});
        const LayerFidelity joined = sum.result();
        QVERIFY(near(joined.restricted_kl, 0.0));
        QCOMPARE(joined.joined, 1.0);  // its two experts are one group: recall is out of one
        QCOMPARE(joined.recall, 1.0);
        QCOMPARE(joined.jaccard, 0.5);
        QCOMPARE(joined.displaced, 0.0);
        QCOMPARE(joined.lost_mass, 0.0);
        QCOMPARE(joined.untouched, 0.0);  // none of its experts is what it was
        sum.add({base, Ids{0, 3}, gates, current, Ids{0, 1}, Row{0.9F, 0.1F}});
        const LayerFidelity both = sum.result();
        QCOMPARE(both.joined, 0.5);
        QCOMPARE(both.exact, 0.5);
        QCOMPARE(both.jaccard, 0.75);
    }
};

QTEST_APPLESS_MAIN(TestFidelity)
#include "tst_fidelity.moc"
