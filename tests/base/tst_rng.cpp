#include <QTest>
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/rng.h"

using namespace espalier;

class TestRng : public QObject {
    Q_OBJECT

private Q_SLOTS:
    /// Computed by an independent SplitMix64 and xoshiro256++, which reproduce their published
    /// vectors.
    void gives_the_known_numbers() {
        const std::array<std::uint64_t, 4> of_42{0xD0764D4F4476689FULL, 0x519E4174576F3791ULL,
                                                 0xFBE07CFB0C24ED8CULL, 0xB37D9F600CD835B8ULL};
        Rng rng(42);
        for (const auto expected : of_42) QCOMPARE(rng.next(), expected);
        QCOMPARE(Rng(0).next(), 0x53175D61490B23DFULL);
        QCOMPARE(Rng(~0ULL).next(), 0x56CCF8CE948E27B2ULL);
    }

    void streams_depend_on_seed_and_name_alone() {
        Rng parent(7);
        const std::uint64_t first = parent.stream("calib").next();
        parent.next();
        QCOMPARE(parent.stream("calib").next(), first);
        QVERIFY(parent.stream("prune").next() != first);
        QVERIFY(Rng(8).stream("calib").next() != first);
    }

    void uniform_fills_its_interval_evenly() {
        Rng rng(1);
        std::array<int, 10> buckets{};
        constexpr int kDraws = 100'000;
        for (int i = 0; i < kDraws; ++i) {
            const double value = rng.uniform();
            QVERIFY(value >= 0.0 && value < 1.0);
            ++buckets[static_cast<std::size_t>(value * 10)];
        }
        // Standard deviation of a bucket is 95.
        for (const int count : buckets) QVERIFY(std::abs(count - kDraws / 10) < 500);
    }

    void below_reaches_every_number_evenly_data() {
        QTest::addColumn<quint64>("bound");
        for (const quint64 bound : {1ULL, 2ULL, 3ULL, 7ULL, 64ULL}) {
            QTest::addRow("%llu", static_cast<unsigned long long>(bound)) << bound;
        }
    }

    void below_reaches_every_number_evenly() {
        QFETCH(quint64, bound);
        Rng rng(2);
        std::vector<int> counts(bound);
        constexpr int kDraws = 64'000;
        for (int i = 0; i < kDraws; ++i) ++counts[rng.below(bound)];
        const double expected = static_cast<double>(kDraws) / static_cast<double>(bound);
        for (const int count : counts) {
            QVERIFY(std::abs(count - expected) < 5 * std::sqrt(expected) + 1);
        }
    }

    void below_has_no_bias_for_huge_bounds() {
        Rng rng(3);
        constexpr std::uint64_t kBound = (1ULL << 63) + (1ULL << 62);  // 3/4 of all numbers
        int upper_third = 0;
        constexpr int kDraws = 30'000;
        for (int i = 0; i < kDraws; ++i) upper_third += rng.below(kBound) >= (1ULL << 63) ? 1 : 0;
        QVERIFY(std::abs(upper_third - kDraws / 3) < 500);
    }

    void normal_has_mean_0_and_deviation_1() {
        Rng rng(4);
        constexpr int kDraws = 100'000;
        double sum = 0;
        double squares = 0;
        for (int i = 0; i < kDraws; ++i) {
            const double value = rng.normal();
            QVERIFY(std::isfinite(value));
            sum += value;
            squares += value * value;
        }
        QVERIFY(std::abs(sum / kDraws) < 0.02);
        QVERIFY(std::abs(squares / kDraws - 1.0) < 0.03);
    }

    void shuffle_permutes_repeatably() {
        std::vector<int> items(100);
        std::iota(items.begin(), items.end(), 0);
        auto again = items;
        const auto sorted = items;
        Rng(5).shuffle(std::span(items));
        Rng(5).shuffle(std::span(again));
        QVERIFY(items == again);
        QVERIFY(items != sorted);
        std::sort(items.begin(), items.end());
        QVERIFY(items == sorted);
    }
};

QTEST_APPLESS_MAIN(TestRng)
#include "tst_rng.moc"
