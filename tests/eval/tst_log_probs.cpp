#include <QTest>
#include <array>
#include <cmath>
#include <vector>

#include "base/rng.h"
#include "eval/log_probs.h"

using namespace espalier;

class TestLogProbs : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void log_sum_exp_survives_large_logits() {
        const std::array logits{1000.0F, 1000.0F, -1000.0F};
        QVERIFY(std::abs(log_sum_exp(logits) - (1000.0 + std::log(2.0))) < 1e-12);
    }

    void divergence_follows_its_formula() {
        // p = (1/2, 1/4, 1/4), q = (1/4, 1/4, 1/2) by logarithms.
        const auto log2 = static_cast<float>(std::log(2.0));
        const std::vector<float> reference{log2, 0, 0};
        const std::vector<float> model{0, 0, log2};
        const Divergence result = compare_rows(reference, model, 2);
        QVERIFY(std::abs(result.kl - 0.25 * std::log(2.0)) < 1e-7);
        QVERIFY(std::abs(result.model_nll - std::log(2.0)) < 1e-7);
        QVERIFY(std::abs(result.reference_nll - std::log(4.0)) < 1e-7);
        QVERIFY(!result.same_best);
    }

    void a_remembered_reference_gives_the_same() {
        Rng rng(3);
        for (int i = 0; i < 50; ++i) {
            std::vector<float> reference(4096);
            std::vector<float> model(4096);
            for (std::size_t j = 0; j < reference.size(); ++j) {
                reference[j] = static_cast<float>(3 * rng.normal());
                model[j] = reference[j] + static_cast<float>(0.3 * rng.normal());
            }
            reference[17] += 20.0F * static_cast<float>(i % 2);  // sure of itself every other time
            model[17] += 20.0F * static_cast<float>(i % 2);
            const Divergence expected = compare_rows(reference, model, 5);
            const ReferenceRow row = to_reference_row(reference, 5);
            const Divergence result = compare_with(row, reference, model, 5);
            QVERIFY(std::abs(result.kl - expected.kl) < 3e-7);
            QVERIFY(std::abs(result.model_nll - expected.model_nll) < 3e-7);
            QVERIFY(std::abs(result.reference_nll - expected.reference_nll) < 3e-7);
            QCOMPARE(result.same_best, expected.same_best);
        }
    }

    void of_equal_logits_the_lower_id_is_the_best() {
        std::vector<float> reference{0, 2, 1, 0};
        const ReferenceRow row = to_reference_row(reference, 0);
        const auto has_same_best = [&](const std::vector<float>& model) {
            return compare_with(row, reference, model, 0).same_best;
        };
        QVERIFY(has_same_best({0, 3, 3, 1}));
        QCOMPARE(compare_with(row, reference, std::vector<float>{0, 2, 1, 0}, 0).kl, 0.0);
        QVERIFY(!has_same_best({3, 3, 0, 1}));
        QVERIFY(!has_same_best({0, 3, 4, 1}));
    }

    void equal_rows_do_not_diverge() {
        const std::vector<float> row{0.3F, -2, 5, 5};
        const Divergence result = compare_rows(row, row, 0);
        QCOMPARE(result.kl, 0.0);
        QVERIFY(result.same_best);
        QCOMPARE(result.model_nll, result.reference_nll);
    }
};

QTEST_APPLESS_MAIN(TestLogProbs)
#include "tst_log_probs.moc"
