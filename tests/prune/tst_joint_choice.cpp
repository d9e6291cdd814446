#include <QTest>
#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "prune/expert_sets.h"
#include "prune/joint_choice.h"
#include "prune/select_experts.h"
#include "prune/tiny_stats.h"

using namespace espalier;

namespace {

using Ids = std::vector<std::int32_t>;
using tiny::keeping;

}  // namespace

class TestJointChoice : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void pairs_that_cancel_go_together() {
        // Alone 0 and 1 cost most, but what they add cancels.
        auto layer = tiny::layer({5, 5, 5, 5}, {4, 3, 2, 1});
        layer.gated_gram = {9,  -8, 0,  0,  //
                            -8, 9,  0,  0,  //
                            0,  0,  14, 1,  //
                            0,  0,  1,  13};
        const auto stats = tiny::stats({layer});
        const MoeConfig config = tiny::config(1, 4, 1);
        QCOMPARE(select_experts(stats, config, keeping(2, "hope")).layers.at(0).kept, (Ids{2, 3}));
        SelectOptions locked = keeping(2, "hope");
        locked.wishes[0] = {{}, {0}, {}};
        QCOMPARE(select_experts(stats, config, locked).layers.at(0).kept, (Ids{0, 2}));
        // With the gated norms (20, 15, 10, 5) as diagonal, nothing is gained any more.
        SelectOptions diagonal = keeping(2, "hope");
        diagonal.has_reap_diagonal = true;
        QCOMPARE(select_experts(stats, config, diagonal).layers.at(0).kept, (Ids{0, 1}));
        diagonal.criterion = "reap";
        QVERIFY_THROWS_EXCEPTION(Error, select_experts(stats, config, diagonal));
    }

    void joint_choice_is_as_good_as_trying_all() {
        constexpr std::size_t kExperts = 8;
        Rng rng(5);
        int found = 0;
        for (int round = 0; round < 20; ++round) {
            // F is a sum of products of outputs, as measured ones are.
            std::vector<double> gram(kExperts * kExperts);
            std::vector<std::int64_t> count(kExperts, 10);
            std::vector<double> reap(kExperts);
            for (double& score : reap) score = rng.uniform();
            for (int token = 0; token < 6; ++token) {
                std::vector<double> output(kExperts);
                for (double& value : output) value = rng.normal();
                for (std::size_t i = 0; i < kExperts; ++i) {
                    for (std::size_t j = 0; j < kExperts; ++j) {
                        gram[i * kExperts + j] += output[i] * output[j];
                    }
                }
            }
            auto layer = tiny::layer(count, reap);
            layer.gated_gram = gram;
            const auto kept = select_experts(tiny::stats({layer}), tiny::config(1, kExperts, 1),
                                             keeping(5, "hope"))
                                  .layers.at(0)
                                  .kept;
            const double energy = joint_energy(gram, removed_experts(kept, kExperts));
            double best = energy;
            for (int a = 0; a < 8; ++a) {
                for (int b = a + 1; b < 8; ++b) {
                    for (int c = b + 1; c < 8; ++c) {
                        best = std::min(best, joint_energy(gram, Ids{a, b, c}));
                    }
                }
            }
            found += energy <= best * (1 + 1e-9) ? 1 : 0;
            // No exchange of one pair lowers it.
            for (const auto out : kept) {
                for (const auto in : removed_experts(kept, kExperts)) {
                    Ids other = removed_experts(kept, kExperts);
                    std::replace(other.begin(), other.end(), in, out);
                    QVERIFY(joint_energy(gram, other) >= energy - 1e-9);
                }
            }
        }
        QVERIFY2(found >= 12, qPrintable(QString::number(found)));  // the rest: a local minimum
    }
};

QTEST_APPLESS_MAIN(TestJointChoice)
#include "tst_joint_choice.moc"
