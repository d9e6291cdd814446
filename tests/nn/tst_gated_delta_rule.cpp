#include <QTest>
#include <cmath>
#include <torch/types.h>

#include "base/cancel.h"
#include "nn/gated_delta_rule.h"
#include "one_layer.h"

using namespace espalier;

namespace {

struct Sizes {
    std::int64_t length = 1;
    double decay = 0.3;  ///< mean of -log_decay
    std::int64_t key_heads = 2;
    std::int64_t value_heads = 4;
    std::int64_t key_dim = 6;
    std::int64_t value_dim = 5;
};

torch::Tensor unit(const torch::Tensor& x) { return x / x.square().sum(-1, true).sqrt(); }

DeltaRuleInput random_input(const Sizes& sizes) {
    torch::manual_seed(sizes.length);
    const std::vector<std::int64_t> by_head{sizes.value_heads, sizes.length};
    return {.q = unit(torch::randn({sizes.key_heads, sizes.length, sizes.key_dim})) /
                 std::sqrt(static_cast<double>(sizes.key_dim)),
            .k = unit(torch::randn({sizes.key_heads, sizes.length, sizes.key_dim})),
            .v = torch::randn({sizes.value_heads, sizes.length, sizes.value_dim}),
            .beta = torch::sigmoid(torch::randn(by_head)),
            .log_decay = torch::rand(by_head) * (-2 * sizes.decay)};
}

/// The definition: one head and one token at a time, in the type of its input.
torch::Tensor recurrence(const DeltaRuleInput& input) {
    const std::int64_t uses = input.v.size(0) / input.k.size(0);
    std::vector<torch::Tensor> heads;
    for (std::int64_t head = 0; head < input.v.size(0); ++head) {
        const torch::Tensor q = input.q[head / uses];
        const torch::Tensor k = input.k[head / uses];
        torch::Tensor state = torch::zeros({k.size(1), input.v.size(2)}, k.options());
        std::vector<torch::Tensor> out;
        for (std::int64_t t = 0; t < k.size(0); ++t) {
            state = state * input.log_decay[head][t].exp();
            const torch::Tensor known = state.t().mv(k[t]);
            const torch::Tensor change = input.beta[head][t] * (input.v[head][t] - known);
            state = state + torch::outer(k[t], change);
            out.push_back(state.t().mv(q[t]));
        }
        heads.push_back(torch::stack(out));
    }
    return torch::stack(heads);
}

template <typename Apply>
DeltaRuleInput each(const DeltaRuleInput& input, const Apply& apply) {
    return {.q = apply(input.q),
            .k = apply(input.k),
            .v = apply(input.v),
            .beta = apply(input.beta),
            .log_decay = apply(input.log_decay)};
}

torch::Tensor as_double(const torch::Tensor& x) { return x.to(torch::kFloat64); }

}  // namespace

class TestGatedDeltaRule : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void chunks_equal_the_recurrence_data() {
        QTest::addColumn<qint64>("length");
        QTest::addColumn<double>("decay");
        for (const int length : {1, 2, 63, 64, 65, 127, 128, 129, 200}) {
            QTest::addRow("%d tokens", length) << qint64{length} << 0.3;
        }
        QTest::addRow("hardly any decay") << qint64{150} << 1e-4;
        QTest::addRow("nothing is kept") << qint64{150} << 60.0;
    }

    void chunks_equal_the_recurrence() {
        QFETCH(qint64, length);
        QFETCH(double, decay);
        const DeltaRuleInput input = random_input({.length = length, .decay = decay});
        const torch::Tensor expected = recurrence(each(input, as_double));
        const torch::Tensor out = gated_delta_rule(input, {});
        // float32 against float64; outputs are below 1.
        QVERIFY2(largest_difference(out, expected) < 3e-6,
                 qPrintable(QString::number(largest_difference(out, expected))));
    }

    void gradients_equal_those_of_the_recurrence_data() {
        QTest::addColumn<qint64>("length");
        for (const int length : {1, 64, 65, 130}) {
            QTest::addRow("%d tokens", length) << qint64{length};
        }
    }

    void gradients_equal_those_of_the_recurrence() {
        QFETCH(qint64, length);
        const DeltaRuleInput input = random_input({.length = length});
        const auto leaf = [](const torch::Tensor& x) {
            return x.detach().clone().set_requires_grad(true);
        };
        const DeltaRuleInput chunked = each(input, leaf);
        const DeltaRuleInput plain =
            each(input, [&](const torch::Tensor& x) { return leaf(as_double(x)); });
        const torch::Tensor direction =
            torch::randn({input.v.size(0), input.v.size(1), input.v.size(2)});
        (gated_delta_rule(chunked, {}) * direction).sum().backward();
        (recurrence(plain) * direction).sum().backward();
        const auto difference = [](const torch::Tensor& a, const torch::Tensor& b) {
            return largest_difference(a.grad(), b.grad());
        };
        // float32 against float64; gradients are of the size of 1.
        QVERIFY(difference(chunked.q, plain.q) < 1e-4);
        QVERIFY(difference(chunked.k, plain.k) < 1e-4);
        QVERIFY(difference(chunked.v, plain.v) < 1e-4);
        QVERIFY(difference(chunked.beta, plain.beta) < 1e-4);
        QVERIFY(difference(chunked.log_decay, plain.log_decay) < 1e-4);
    }

    void stops_when_asked() {
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_THROWS_EXCEPTION(Cancelled,
                                 gated_delta_rule(random_input({.length = 10}), stop.get_token()));
    }
};

QTEST_APPLESS_MAIN(TestGatedDeltaRule)
#include "tst_gated_delta_rule.moc"
