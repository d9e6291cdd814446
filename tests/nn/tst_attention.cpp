#include <ATen/core/grad_mode.h>
#include <QTest>
#include <torch/types.h>

#include "nn/attention.h"

using namespace espalier;

namespace {

constexpr std::int64_t kHidden = 12;

MoeConfig config_of(std::int64_t heads, std::int64_t kv_heads) {
    MoeConfig config;
    config.hidden_size = kHidden;
    config.attention.num_heads = heads;
    config.attention.num_kv_heads = kv_heads;
    config.attention.head_dim = 8;
    config.attention.scale = 0.3;
    config.attention.qk_norm = QkNorm::PerHead;
    config.attention.rope = {.theta = 100.0, .rotated_dims = 8};
    return config;
}

AttentionWeights random_weights(const AttentionConfig& config) {
    const auto matrix = [](std::int64_t out, std::int64_t in) {
        return Linear{.weight = torch::randn({out, in}) * 0.3, .bias = torch::randn({out}) * 0.1};
    };
    const std::int64_t q = config.num_heads * config.head_dim;
    const std::int64_t kv = config.num_kv_heads * config.head_dim;
    return {.norm = {},
            .q = matrix(q, kHidden),
            .k = matrix(kv, kHidden),
            .v = matrix(kv, kHidden),
            .output = matrix(kHidden, q),
            .q_norm = torch::rand({config.head_dim}) + 0.5,
            .k_norm = torch::rand({config.head_dim}) + 0.5};
}

/// One head's vector at one position: norm, then rotation of dimension i with i + 4.
torch::Tensor rotated(const torch::Tensor& x, const torch::Tensor& norm, double epsilon,
                      std::int64_t position) {
    const torch::Tensor n = x / (x.square().mean() + epsilon).sqrt() * norm;
    torch::Tensor out = torch::empty_like(n);
    for (std::int64_t i = 0; i < 4; ++i) {
        const double angle =
            static_cast<double>(position) * std::pow(100.0, -2.0 * static_cast<double>(i) / 8.0);
        out[i] = n[i] * std::cos(angle) - n[i + 4] * std::sin(angle);
        out[i + 4] = n[i + 4] * std::cos(angle) + n[i] * std::sin(angle);
    }
    return out;
}

/// The definition, in float64, one query and one head at a time.
torch::Tensor plain_attention(const MoeConfig& config, const AttentionWeights& weights,
                              std::int64_t window, const torch::Tensor& rows) {
    const AttentionConfig& a = config.attention;
    const auto project = [&](const Linear& linear, std::int64_t heads) {
        return torch::linear(rows, linear.weight, linear.bias)
            .view({-1, heads, a.head_dim})
            .to(torch::kFloat64);
    };
    torch::Tensor q = project(weights.q, a.num_heads);
    torch::Tensor k = project(weights.k, a.num_kv_heads);
    const torch::Tensor v = project(weights.v, a.num_kv_heads);
    const std::int64_t length = rows.size(0);
    for (std::int64_t t = 0; t < length; ++t) {
        for (std::int64_t h = 0; h < a.num_heads; ++h) {
            q[t][h] = rotated(q[t][h].clone(), weights.q_norm, config.rms_norm_eps, t);
        }
        for (std::int64_t h = 0; h < a.num_kv_heads; ++h) {
            k[t][h] = rotated(k[t][h].clone(), weights.k_norm, config.rms_norm_eps, t);
        }
    }
    torch::Tensor mixed = torch::zeros_like(q);
    for (std::int64_t t = 0; t < length; ++t) {
        const std::int64_t first = window > 0 ? std::max<std::int64_t>(0, t - window + 1) : 0;
        for (std::int64_t h = 0; h < a.num_heads; ++h) {
            const std::int64_t kv = h / (a.num_heads / a.num_kv_heads);
            const torch::Tensor keys = k.slice(0, first, t + 1).select(1, kv);
            const torch::Tensor probs = torch::softmax(keys.mv(q[t][h]) * a.scale, 0);
            mixed[t][h] = v.slice(0, first, t + 1).select(1, kv).t().mv(probs);
        }
    }
    return torch::linear(mixed.view({length, -1}).to(torch::kFloat32), weights.output.weight,
                         weights.output.bias);
}

}  // namespace

class TestAttention : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void equals_the_definition_data() {
        QTest::addColumn<qint64>("length");
        QTest::addColumn<qint64>("kv_heads");
        QTest::addColumn<qint64>("window");
        // Queries are taken 256 at a time: lengths lie on both sides of that.
        QTest::addRow("one token") << qint64{1} << qint64{2} << qint64{0};
        QTest::addRow("grouped queries") << qint64{40} << qint64{2} << qint64{0};
        QTest::addRow("one head for keys") << qint64{17} << qint64{1} << qint64{0};
        QTest::addRow("window") << qint64{40} << qint64{2} << qint64{7};
        QTest::addRow("window of one") << qint64{9} << qint64{4} << qint64{1};
        QTest::addRow("a whole block") << qint64{256} << qint64{2} << qint64{0};
        QTest::addRow("two blocks") << qint64{300} << qint64{2} << qint64{0};
        QTest::addRow("two blocks with a window") << qint64{300} << qint64{2} << qint64{50};
    }

    void equals_the_definition() {
        QFETCH(qint64, length);
        QFETCH(qint64, kv_heads);
        QFETCH(qint64, window);
        const torch::NoGradGuard no_grad;
        torch::manual_seed(1);
        const MoeConfig config = config_of(4, kv_heads);
        const AttentionWeights weights = random_weights(config.attention);
        const LayerConfig layer{
            .mixer = window > 0 ? MixerKind::SlidingAttention : MixerKind::FullAttention,
            .sliding_window = window};
        const Rotary rotary(config.attention.rope, length);
        const Sequences sequences{{length}};
        const torch::Tensor rows = torch::randn({length, kHidden});
        const torch::Tensor out = attention({.config = config,
                                             .layer = layer,
                                             .weights = weights,
                                             .rotary = rotary,
                                             .sequences = sequences,
                                             .tap = nullptr,
                                             .stop = {}},
                                            rows);
        const torch::Tensor expected = plain_attention(config, weights, window, rows);
        // float32 against float64 with float32 projections.
        QVERIFY((out - expected).abs().max().item<double>() < 2e-5);
    }
};

QTEST_APPLESS_MAIN(TestAttention)
#include "tst_attention.moc"
