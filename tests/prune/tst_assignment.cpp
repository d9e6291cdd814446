#include <QTest>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <stop_token>
#include <vector>

#include "base/cancel.h"
#include "base/rng.h"
#include "prune/assignment.h"

using namespace espalier;

namespace {

using Ids = std::vector<std::int32_t>;

std::vector<float> random_costs(std::size_t n, std::uint64_t seed) {
    Rng rng(seed);
    std::vector<float> cost(n * n);
    for (float& value : cost) value = static_cast<float>(rng.normal());
    return cost;
}

double sum_of(const std::vector<float>& cost, const Ids& columns) {
    double sum = 0;
    for (std::size_t r = 0; r < columns.size(); ++r) {
        sum += static_cast<double>(cost[r * columns.size() + static_cast<std::size_t>(columns[r])]);
    }
    return sum;
}

}  // namespace

class TestAssignment : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void by_hand() {
        QCOMPARE(assign_least_cost(std::vector<float>{7}, 1), Ids({0}));
        // Each row's own cheapest column is the first: somebody has to give way.
        const std::vector<float> cost{1, 2, 3, 1, 4, 6, 1, 5, 9};
        const Ids columns = assign_least_cost(cost, 3);
        QCOMPARE(columns, Ids({2, 1, 0}));  // 3 + 4 + 1; any other choice costs more or as much
        QCOMPARE(sum_of(cost, columns), 8.0);
    }

    void equal_costs_keep_rows_in_place() {
        QCOMPARE(assign_least_cost(std::vector<float>(16, 1.0F), 4), Ids({0, 1, 2, 3}));
    }

    void as_cheap_as_the_best_of_all_permutations() {
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            const auto cost = random_costs(6, seed);
            Ids order(6);
            std::iota(order.begin(), order.end(), 0);
            double best = sum_of(cost, order);
            while (std::next_permutation(order.begin(), order.end())) {
                best = std::min(best, sum_of(cost, order));
            }
            const Ids found = assign_least_cost(cost, 6);
            QVERIFY(std::abs(sum_of(cost, found) - best) < 1e-6);
        }
    }

    void finds_a_hidden_permutation() {
        constexpr std::size_t n = 200;
        Ids hidden(n);
        std::iota(hidden.begin(), hidden.end(), 0);
        Rng(3).stream("hidden").shuffle(std::span(hidden));
        std::vector<float> cost = random_costs(n, 4);
        for (float& value : cost) value = std::abs(value) + 1;
        for (std::size_t r = 0; r < n; ++r) {
            cost[r * n + static_cast<std::size_t>(hidden[r])] = 0.5F;
        }
        QCOMPARE(assign_least_cost(cost, n), hidden);
    }

    void stops_when_it_is_told_to() {
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_EXCEPTION_THROWN(assign_least_cost(random_costs(4, 1), 4, stop.get_token()),
                                 Cancelled);
    }
};

QTEST_APPLESS_MAIN(TestAssignment)
#include "tst_assignment.moc"
