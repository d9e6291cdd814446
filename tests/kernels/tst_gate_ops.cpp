#include <QTest>
#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "base/rng.h"
#include "kernels/each_target.h"
#include "kernels/gate_ops.h"

using namespace espalier;

namespace {

/// Mostly near zero, some far out.
std::vector<float> random_values(std::size_t count, const char* name) {
    Rng rng = Rng(11).stream(name);
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) {
        values[i] = static_cast<float>(rng.normal()) * (i % 5 == 4 ? 60.0F : 4.0F);
    }
    return values;
}

void add_sizes() {
    QTest::addColumn<std::size_t>("size");
    for (const std::size_t size : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 127, 1000}) {
        QTest::addRow("%zu", size) << size;
    }
}

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

using Scalar = std::function<double(double gate, double up)>;

void compare(const std::vector<float>& gate, const std::vector<float>& up,
             const std::vector<float>& actual, const Scalar& scalar, const std::string& target) {
    for (std::size_t i = 0; i < actual.size(); ++i) {
        const double expected = scalar(static_cast<double>(gate[i]), static_cast<double>(up[i]));
        const double error = std::abs(static_cast<double>(actual[i]) - expected);
        QVERIFY2(error <= 2e-6 * std::max(1.0, std::abs(expected)),
                 qPrintable(QString("%1, element %2: %3 instead of %4")
                                .arg(target.c_str())
                                .arg(i)
                                .arg(static_cast<double>(actual[i]))
                                .arg(expected)));
    }
}

}  // namespace

class TestGateOps : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void gates_multiply_data() { add_sizes(); }
    void gates_multiply() {
        QFETCH(std::size_t, size);
        const auto gate = random_values(size, "gate");
        const auto up = random_values(size, "up");
        const auto silu = [](double g, double) { return g * sigmoid(g); };
        const auto clamped = [](double g, double u) {
            g = std::min(g, 5.0);
            return g * sigmoid(1.5 * g) * (std::clamp(u, -5.0, 5.0) + 1.0);
        };
        for_each_target([&](const std::string& target) {
            std::vector<float> out(size);
            kernels::silu_mul(gate, up, out);
            compare(
                gate, up, out, [&](double g, double u) { return silu(g, u) * u; }, target);
            kernels::clamped_silu_mul(gate, up, {.alpha = 1.5F, .limit = 5.0F}, out);
            compare(gate, up, out, clamped, target);
            out = gate;
            kernels::silu(out);
            compare(gate, up, out, silu, target);
            out = up;
            kernels::sigmoid_mul(gate, out);
            compare(
                gate, up, out, [](double g, double u) { return sigmoid(g) * u; }, target);
        });
    }

    void results_may_take_the_place_of_either_input() {
        const auto gate = random_values(37, "gate");
        const auto up = random_values(37, "up");
        for_each_target([&](const std::string&) {
            std::vector<float> apart(37);
            kernels::silu_mul(gate, up, apart);
            auto over_gate = gate;
            kernels::silu_mul(over_gate, up, over_gate);
            QCOMPARE(over_gate, apart);
            auto over_up = up;
            kernels::silu_mul(gate, over_up, over_up);
            QCOMPARE(over_up, apart);
        });
    }

    void values_far_out_stay_finite() {
        for_each_target([&](const std::string&) {
            const std::vector<float> far = {-1e30F, -200.0F, -100.0F, 0.0F, 100.0F, 1e30F};
            const std::vector<float> ones(far.size(), 1.0F);
            std::vector<float> out(far.size());
            kernels::silu_mul(far, ones, out);
            for (const float v : out) QVERIFY(std::isfinite(v));
            QVERIFY(std::abs(out[1]) < 1e-30F);
            QCOMPARE(out[4], 100.0F);
            // The gate is held from above alone, the other factor on both sides.
            kernels::clamped_silu_mul(far, far, {.alpha = 1.702F, .limit = 7.0F}, out);
            for (const float v : out) QVERIFY(std::isfinite(v));
            QCOMPARE(out[3], 0.0F);
            QCOMPARE(out[4], out[5]);
            QVERIFY(out[4] > 55.99F && out[4] <= 56.0F);
        });
    }
};

QTEST_APPLESS_MAIN(TestGateOps)
#include "tst_gate_ops.moc"
