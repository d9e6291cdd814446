#include <QTest>
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/rng.h"
#include "kernels/each_target.h"
#include "kernels/vector_ops.h"

using namespace espalier;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> random_values(std::size_t count, const char* name) {
    Rng rng = Rng(7).stream(name);
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>(rng.normal());
    return values;
}

/// Sizes below, on and off the boundaries of 4, 8 and 16 lanes.
void add_sizes() {
    QTest::addColumn<std::size_t>("size");
    for (const std::size_t size : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 96, 127, 1000}) {
        QTest::addRow("%zu", size) << size;
    }
}

void compare(const std::vector<float>& actual, const std::vector<double>& expected,
             double tolerance, const std::string& target) {
    QCOMPARE(actual.size(), expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i) {
        const double error = std::abs(static_cast<double>(actual[i]) - expected[i]);
        QVERIFY2(error <= tolerance * std::max(1.0, std::abs(expected[i])),
                 qPrintable(QString("%1, element %2: %3 instead of %4")
                                .arg(target.c_str())
                                .arg(i)
                                .arg(static_cast<double>(actual[i]))
                                .arg(expected[i])));
    }
}

}  // namespace

class TestVectorOps : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void rms_norm_divides_by_the_root_mean_square_data() { add_sizes(); }
    void rms_norm_divides_by_the_root_mean_square() {
        QFETCH(std::size_t, size);
        const auto x = random_values(size, "x");
        const auto weight = random_values(size, "weight");
        double sum = 0;
        for (const float v : x) sum += static_cast<double>(v) * static_cast<double>(v);
        const double factor = 1.0 / std::sqrt(sum / static_cast<double>(size) + 1e-6);
        std::vector<double> expected;
        for (std::size_t i = 0; i < size; ++i) {
            expected.push_back(static_cast<double>(x[i]) * factor * static_cast<double>(weight[i]));
        }
        for_each_target([&](const std::string& target) {
            auto out = x;  // in place
            kernels::rms_norm(out, weight, 1e-6F, out);
            compare(out, expected, 2e-6, target);
        });
    }

    void softmax_sums_to_one_data() { add_sizes(); }
    void softmax_sums_to_one() {
        QFETCH(std::size_t, size);
        auto x = random_values(size, "x");
        for (float& v : x) v *= 20.0F;
        if (size > 2) x[1] = -kInfinity;
        const double largest = static_cast<double>(*std::max_element(x.begin(), x.end()));
        std::vector<double> expected;
        double sum = 0;
        for (const float v : x) {
            expected.push_back(std::exp(static_cast<double>(v) - largest));
            sum += expected.back();
        }
        for (double& e : expected) e /= sum;
        for_each_target([&](const std::string& target) {
            auto out = x;
            kernels::softmax(out);
            compare(out, expected, 1e-6, target);
            if (size > 2) QCOMPARE(out[1], 0.0F);
        });
    }

    void a_sink_takes_its_share_data() { add_sizes(); }
    void a_sink_takes_its_share() {
        QFETCH(std::size_t, size);
        const auto x = random_values(size, "x");
        for (const float sink : {-30.0F, 0.5F, 4.0F, 90.0F}) {
            const double peak = std::max(static_cast<double>(*std::max_element(x.begin(), x.end())),
                                         static_cast<double>(sink));
            double sum = std::exp(static_cast<double>(sink) - peak);
            for (const float v : x) sum += std::exp(static_cast<double>(v) - peak);
            std::vector<double> expected;
            for (const float v : x)
                expected.push_back(std::exp(static_cast<double>(v) - peak) / sum);
            for_each_target([&](const std::string& target) {
                auto out = x;
                kernels::softmax_with_sink(out, sink);
                compare(out, expected, 1e-6, target);
            });
        }
        for_each_target([&](const std::string&) {
            auto plain = x;
            auto without = x;
            kernels::softmax(plain);
            kernels::softmax_with_sink(without, -kInfinity);
            QCOMPARE(without, plain);
        });
    }

    void products_multiply_in_place_data() { add_sizes(); }
    void products_multiply_in_place() {
        QFETCH(std::size_t, size);
        const auto x = random_values(size, "x");
        const auto y = random_values(size, "y");
        const auto start = random_values(size, "start");
        std::vector<double> product;
        std::vector<double> sum;
        std::vector<double> held;
        for (std::size_t i = 0; i < size; ++i) {
            const auto value = static_cast<double>(x[i]);
            product.push_back(static_cast<double>(start[i]) * value);
            sum.push_back(static_cast<double>(start[i]) + value * static_cast<double>(y[i]));
            held.push_back(std::clamp(value, -0.75, 0.75));
        }
        for_each_target([&](const std::string& target) {
            auto out = start;
            kernels::multiply(x, out);
            compare(out, product, 1e-6, target);
            out = start;
            kernels::add_product(x, y, out);
            compare(out, sum, 1e-6, target);
            out = x;
            kernels::clamp(out, 0.75F);
            compare(out, held, 0.0, target);
        });
    }

    void sums_add_in_place_data() { add_sizes(); }
    void sums_add_in_place() {
        QFETCH(std::size_t, size);
        const auto x = random_values(size, "x");
        const auto start = random_values(size, "start");
        std::vector<double> sum;
        std::vector<double> scaled;
        for (std::size_t i = 0; i < size; ++i) {
            sum.push_back(static_cast<double>(start[i]) + static_cast<double>(x[i]));
            scaled.push_back(static_cast<double>(start[i]) + 0.3 * static_cast<double>(x[i]));
        }
        for_each_target([&](const std::string& target) {
            auto out = start;
            kernels::add(x, out);
            compare(out, sum, 1e-6, target);
            out = start;
            kernels::add_scaled(0.3F, x, out);
            compare(out, scaled, 1e-6, target);
        });
    }

    void rope_turns_pairs_and_leaves_the_rest_data() { add_sizes(); }
    void rope_turns_pairs_and_leaves_the_rest() {
        QFETCH(std::size_t, size);
        const auto x = random_values(2 * size + 3, "x");
        std::vector<float> cosines(size);
        std::vector<float> sines(size);
        std::vector<double> expected(x.begin(), x.end());
        for (std::size_t i = 0; i < size; ++i) {
            const double angle = 0.37 * static_cast<double>(i) + 0.1;
            cosines[i] = static_cast<float>(std::cos(angle));
            sines[i] = static_cast<float>(std::sin(angle));
            const auto first = static_cast<double>(x[i]);
            const auto second = static_cast<double>(x[size + i]);
            expected[i] = first * std::cos(angle) - second * std::sin(angle);
            expected[size + i] = second * std::cos(angle) + first * std::sin(angle);
        }
        for_each_target([&](const std::string& target) {
            auto out = x;
            kernels::rope(out, cosines, sines);
            compare(out, expected, 1e-6, target);
            // In pair style the same values lie side by side.
            auto pairs = x;
            for (std::size_t i = 0; i < size; ++i) {
                pairs[2 * i] = x[i];
                pairs[2 * i + 1] = x[size + i];
            }
            kernels::rope_pairs(pairs, cosines, sines);
            for (std::size_t i = 0; i < size; ++i) {
                out[i] = pairs[2 * i];
                out[size + i] = pairs[2 * i + 1];
            }
            compare(out, expected, 1e-6, target);
            QVERIFY(std::equal(pairs.end() - 3, pairs.end(), x.end() - 3));
        });
    }
};

QTEST_APPLESS_MAIN(TestVectorOps)
#include "tst_vector_ops.moc"
