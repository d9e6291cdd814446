#include <QTest>
#include <vector>

#include "base/error.h"
#include "prune/round_path.h"

using namespace espalier;

namespace {

using Path = std::vector<std::int64_t>;

RouterConfig router(std::int64_t experts, std::int64_t top_k = 4) {
    RouterConfig config;
    config.num_experts = experts;
    config.top_k = top_k;
    return config;
}

}  // namespace

class TestRoundPath : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void small_cuts_go_in_equal_steps() {
        QCOMPARE(round_path(router(32), 24, {.rounds = 4}), (Path{30, 28, 26, 24}));
        // A quarter in steps of 5 % of 100.
        QCOMPARE(round_path(router(100), 75, {}), (Path{95, 90, 85, 80, 75}));
    }

    void deep_cuts_go_in_equal_shares() {
        // 32 * (16/32)^(s/4) = 26.9, 22.6, 19.0, 16
        QCOMPARE(round_path(router(32), 16, {.rounds = 4}), (Path{27, 23, 19, 16}));
        const Path path = round_path(router(256), 64, {});
        QCOMPARE(path.size(), std::size_t{28});  // ceil(ln(1/4) / ln(0.95))
        QCOMPARE(path.back(), 64);
        QVERIFY(256 - path.front() <= 13);  // 5 % of 256, in whole experts
    }

    void limiting_cases() {
        QCOMPARE(round_path(router(32), 32, {.rounds = 3}), Path{});
        QCOMPARE(round_path(router(32), 16, {.rounds = 1}), Path{16});
        QCOMPARE(round_path(router(32), 30, {.rounds = 9}), (Path{31, 30}));  // no round of nothing
    }

    void groups_lose_equally() {
        RouterConfig grouped = router(32);
        grouped.num_groups = 4;
        grouped.top_groups = 2;
        for (const std::int64_t kept : round_path(grouped, 16, {.rounds = 5})) {
            QCOMPARE(kept % 4, 0);
        }
        QVERIFY_THROWS_EXCEPTION(Error, round_path(grouped, 15, {}));
        QCOMPARE(halved_step(grouped, 32, 24), 28);
        QCOMPARE(halved_step(grouped, 32, 28), 32);
    }

    void halving_ends_at_one_expert() {
        QCOMPARE(halved_step(router(32), 32, 24), 28);
        QCOMPARE(halved_step(router(32), 32, 28), 30);
        QCOMPARE(halved_step(router(32), 32, 30), 31);
        QCOMPARE(halved_step(router(32), 32, 31), 32);
    }

    void nonsense_is_refused() {
        QVERIFY_THROWS_EXCEPTION(Error, round_path(router(32), 16, {.step = 0}));
        QVERIFY_THROWS_EXCEPTION(Error, round_path(router(32), 16, {.step = 1.5}));
        QVERIFY_THROWS_EXCEPTION(Error, round_path(router(32), 16, {.rounds = -1}));
        QVERIFY_THROWS_EXCEPTION(Error, round_path(router(32), 3, {}));
    }
};

QTEST_APPLESS_MAIN(TestRoundPath)
#include "tst_round_path.moc"
