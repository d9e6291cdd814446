#include <QTest>
#include <cmath>
#include <vector>

#include "base/rng.h"
#include "kernels/each_target.h"
#include "kernels/exp_sums.h"
#include "kernels/vector_ops.h"

using namespace espalier;

namespace {

std::vector<float> random_values(std::size_t count, const char* name) {
    Rng rng = Rng(7).stream(name);
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>(4 * rng.normal());
    return values;
}

}  // namespace

class TestExpSums : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void sums_are_those_of_doubles_data() {
        QTest::addColumn<std::size_t>("size");
        for (const std::size_t size : {1, 3, 4, 5, 8, 15, 16, 17, 64, 127, 128, 129, 1000, 40000}) {
            QTest::addRow("%zu", size) << size;
        }
    }
    void sums_are_those_of_doubles() {
        QFETCH(std::size_t, size);
        const auto x = random_values(size, "x");
        const auto weights = random_values(size, "weights");
        float largest = x.front();
        for (const float v : x) largest = std::max(largest, v);
        double exps = 0;
        double products = 0;
        double magnitude = 0;
        for (std::size_t i = 0; i < size; ++i) {
            const double below = static_cast<double>(x[i]) - static_cast<double>(largest);
            exps += std::exp(below);
            products += static_cast<double>(weights[i]) * below;
            magnitude += std::abs(static_cast<double>(weights[i]) * below);
        }
        for_each_target([&](const std::string& target) {
            const auto is_near = [&](double actual, double expected, double bound) {
                QVERIFY2(std::abs(actual - expected) <= bound, target.c_str());
            };
            QCOMPARE(kernels::max_value(x), largest);
            is_near(kernels::sum_exp(x, largest), exps, 2e-7 * exps);
            is_near(kernels::weighted_sum(weights, x, largest), products, 2e-7 * magnitude);
        });
    }
};

QTEST_APPLESS_MAIN(TestExpSums)
#include "tst_exp_sums.moc"
