#include <ATen/core/grad_mode.h>
#include <QTest>

#include "nn/causal_convolution.h"
#include "nn/short_convolution.h"
#include "one_layer.h"

using namespace espalier;

class TestShortConvolution : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void a_tap_reaches_back_and_never_forward() {
        const torch::Tensor kernel = torch::tensor({{1.F, 10.F, 100.F}, {0.F, 0.F, 1.F}});
        const torch::Tensor rows = torch::tensor({{1.F, 5.F}, {2.F, 6.F}, {3.F, 7.F}, {4.F, 8.F}});
        // y[t] = x[t-2] + 10 x[t-1] + 100 x[t], with zeros before the start.
        const torch::Tensor expected =
            torch::tensor({{100.F, 5.F}, {210.F, 6.F}, {321.F, 7.F}, {432.F, 8.F}});
        QCOMPARE(largest_difference(causal_convolution(rows, kernel), expected), 0.0);
    }

    void a_sequence_may_be_shorter_than_the_kernel() {
        const torch::Tensor kernel = torch::tensor({{1.F, 10.F, 100.F, 1000.F}});
        const torch::Tensor out = causal_convolution(torch::tensor({{2.F}}), kernel);
        QCOMPARE(out.item<float>(), 2000.0F);
    }

    void equals_the_definition_data() {
        QTest::addColumn<bool>("has_bias");
        QTest::addRow("with biases") << true;
        QTest::addRow("without") << false;
    }

    void equals_the_definition() {
        QFETCH(bool, has_bias);
        const torch::NoGradGuard no_grad;
        torch::manual_seed(4);
        constexpr std::int64_t kHidden = 5;
        OneLayer layer;
        layer.config.hidden_size = kHidden;
        layer.config.layers = {{.mixer = MixerKind::ShortConvolution}};
        layer.config.attention.rope.rotated_dims = 2;
        layer.weights.convolution = {.in = random_linear(3 * kHidden, kHidden),
                                     .kernel = torch::randn({kHidden, 3}),
                                     .bias = torch::randn({kHidden}),
                                     .out = random_linear(kHidden, kHidden)};
        ShortConvolutionTensors& weights = layer.weights.convolution;
        if (!has_bias) {
            weights.in.bias = torch::Tensor();
            weights.bias = torch::Tensor();
            weights.out.bias = torch::Tensor();
        }

        const torch::Tensor rows = torch::randn({7, kHidden});
        const torch::Tensor out = layer.run(short_convolution, rows, {7});
        const torch::Tensor parts = weights.in(rows);
        const torch::Tensor u = parts.narrow(1, 0, kHidden) * parts.narrow(1, 2 * kHidden, kHidden);
        torch::Tensor mixed = torch::zeros({7, kHidden});
        for (std::int64_t t = 0; t < 7; ++t) {
            for (std::int64_t tap = 0; tap < 3; ++tap) {
                const std::int64_t from = t - 2 + tap;
                if (from >= 0) mixed[t] += weights.kernel.select(1, tap) * u[from];
            }
            if (has_bias) mixed[t] += weights.bias;
        }
        const torch::Tensor expected = weights.out(parts.narrow(1, kHidden, kHidden) * mixed);
        QVERIFY(largest_difference(out, expected) < 1e-5);
    }
};

QTEST_APPLESS_MAIN(TestShortConvolution)
#include "tst_short_convolution.moc"
