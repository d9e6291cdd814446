#include <QTest>
#include <array>
#include <cmath>
#include <vector>

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
