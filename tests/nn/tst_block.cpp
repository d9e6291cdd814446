#include <ATen/core/grad_mode.h>
#include <QTest>

#include "nn/activation.h"
#include "nn/block.h"
#include "nn/feed_forward.h"
#include "one_layer.h"

using namespace espalier;

namespace {

constexpr std::int64_t kHidden = 6;
constexpr std::int64_t kWidth = 4;
constexpr std::int64_t kExperts = 3;

GatedMlp random_mlp() {
    return {.gate = random_linear(kWidth, kHidden),
            .up = random_linear(kWidth, kHidden),
            .down = random_linear(kHidden, kWidth)};
}

/// A mixture of experts, all of which are chosen, beside a short convolution.
OneLayer make_layer() {
    OneLayer layer;
    layer.config.hidden_size = kHidden;
    layer.config.layers = {{.mixer = MixerKind::ShortConvolution}};
    layer.config.attention.rope.rotated_dims = 2;
    layer.config.router = {.num_experts = kExperts, .top_k = kExperts};
    layer.weights.mixer_norm = random_norm(kHidden);
    layer.weights.feed_forward_norm = random_norm(kHidden);
    layer.weights.convolution = {.in = random_linear(3 * kHidden, kHidden),
                                 .kernel = torch::randn({kHidden, 2}),
                                 .bias = {},
                                 .out = random_linear(kHidden, kHidden)};
    layer.weights.router.linear = random_linear(kExperts, kHidden);
    for (std::int64_t e = 0; e < kExperts; ++e) layer.weights.experts.push_back(random_mlp());
    return layer;
}

torch::Tensor apply(const GatedMlp& mlp, const torch::Tensor& rows) {
    return mlp.down(torch::silu(mlp.gate(rows)) * mlp.up(rows));
}

/// Sum of all experts by softmax of the router.
torch::Tensor all_experts(const OneLayer& layer, const torch::Tensor& rows) {
    const torch::Tensor probs = torch::softmax(layer.weights.router.linear(rows), -1);
    torch::Tensor sum = torch::zeros_like(rows);
    for (std::int64_t e = 0; e < kExperts; ++e) {
        sum +=
            probs.narrow(1, e, 1) * apply(layer.weights.experts[static_cast<std::size_t>(e)], rows);
    }
    return sum;
}

class OutputTap final : public LayerTap {
public:
    torch::Tensor mixer, feed_forward;
    void on_mixer_output(const torch::Tensor& rows) override { mixer = rows.clone(); }
    void on_feed_forward_output(const torch::Tensor& rows) override { feed_forward = rows.clone(); }
};

}  // namespace

class TestBlock : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() { torch::manual_seed(5); }

    void outputs_are_added_times_the_residual_multiplier_data() {
        QTest::addColumn<double>("multiplier");
        QTest::addRow("1") << 1.0;
        QTest::addRow("0.22") << 0.22;
    }

    void outputs_are_added_times_the_residual_multiplier() {
        QFETCH(double, multiplier);
        const torch::NoGradGuard no_grad;
        OneLayer layer = make_layer();
        layer.config.residual_multiplier = multiplier;
        OutputTap tap;
        layer.tap = &tap;
        const torch::Tensor hidden = torch::randn({5, kHidden});
        const torch::Tensor out = layer.run(run_block, hidden, {5});
        QVERIFY(largest_difference(
                    out, hidden + multiplier * tap.mixer + multiplier * tap.feed_forward) < 1e-6);
    }

    void shared_expert_is_added_to_the_routed_sum_data() {
        QTest::addColumn<bool>("has_gate");
        QTest::addRow("with a gate of its own") << true;
        QTest::addRow("whole") << false;
    }

    void shared_expert_is_added_to_the_routed_sum() {
        QFETCH(bool, has_gate);
        const torch::NoGradGuard no_grad;
        OneLayer layer = make_layer();
        layer.config.shared_expert = {.width = kWidth, .has_gate = has_gate};
        layer.weights.shared_expert = {.mlp = random_mlp(), .score = random_linear(1, kHidden)};
        const torch::Tensor rows = torch::randn({5, kHidden});
        const torch::Tensor shared = apply(layer.weights.shared_expert.mlp, rows);
        const torch::Tensor share = torch::sigmoid(layer.weights.shared_expert.score(rows));
        const torch::Tensor expected =
            all_experts(layer, rows) + (has_gate ? share * shared : shared);
        QVERIFY(largest_difference(layer.run(feed_forward, rows, {5}), expected) < 1e-5);
    }

    void clamped_activation_has_no_lower_clamp_on_the_gate() {
        const ExpertConfig config{.activation = ExpertActivation::ClampedSilu};
        const torch::Tensor gate = torch::tensor({9.0F, -9.0F, 2.0F, 0.5F});
        const torch::Tensor up = torch::tensor({1.0F, -9.0F, 8.0F, -1.0F});
        const auto swish = [](double x) { return x / (1 + std::exp(-1.702 * x)); };
        const std::vector<double> expected{swish(7) * 2, swish(-9) * -6, swish(2) * 8, 0.0};
        QVERIFY(largest_difference(activate(config, gate, up), torch::tensor(expected)) < 1e-5);
    }

    void inference_and_training_agree() {
        OneLayer layer = make_layer();
        layer.config.experts.activation = ExpertActivation::ClampedSilu;
        const torch::Tensor rows = torch::randn({5, kHidden});
        const torch::Tensor trained = layer.run(feed_forward, rows, {5});
        const torch::NoGradGuard no_grad;
        QVERIFY(largest_difference(layer.run(feed_forward, rows, {5}), trained) < 1e-6);
    }
};

QTEST_APPLESS_MAIN(TestBlock)
#include "tst_block.moc"
