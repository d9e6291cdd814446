#include <ATen/core/grad_mode.h>
#include <QTest>
#include <functional>

#include "nn/attention.h"
#include "one_layer.h"

using namespace espalier;

namespace {

constexpr std::int64_t kHidden = 12;

OneLayer plain_layer() {
    OneLayer layer;
    layer.config.hidden_size = kHidden;
    layer.config.attention = {.num_heads = 4,
                              .num_kv_heads = 2,
                              .head_dim = 8,
                              .scale = 0.3,
                              .qk_norm = QkNorm::PerHead,
                              .rope = {.theta = 100.0, .rotated_dims = 8}};
    layer.config.layers = {{}};
    return layer;
}

void fill_weights(OneLayer& layer) {
    const AttentionConfig& config = layer.config.attention;
    const std::int64_t q = config.num_heads * config.head_dim;
    const std::int64_t kv = config.num_kv_heads * config.head_dim;
    const bool is_whole = config.qk_norm == QkNorm::Whole;
    layer.weights.attention = {.q = random_linear(config.has_output_gate ? 2 * q : q, kHidden),
                               .k = random_linear(kv, kHidden),
                               .v = random_linear(kv, kHidden),
                               .output = random_linear(kHidden, q),
                               .q_norm = random_norm(is_whole ? q : config.head_dim),
                               .k_norm = random_norm(is_whole ? kv : config.head_dim),
                               .sinks = torch::randn({config.num_heads})};
}

/// Norm, clipping and rotation of one token's heads, [heads, head_dim].
torch::Tensor prepared(const MoeConfig& config, torch::Tensor heads, const torch::Tensor& norm,
                       std::int64_t position) {
    const AttentionConfig& a = config.attention;
    if (a.qk_norm == QkNorm::Whole) {
        heads = normed(heads.flatten(), norm, config.rms_norm_eps).view_as(heads);
    }
    heads = heads.clone();
    for (std::int64_t h = 0; h < heads.size(0); ++h) {
        torch::Tensor head = heads[h].clone();
        if (a.qk_norm == QkNorm::PerHead) head = normed(head, norm, config.rms_norm_eps);
        if (a.clip_qkv > 0) head = head.clamp(-a.clip_qkv, a.clip_qkv);
        heads[h] = turned(head, a.rope, position);
    }
    return heads;
}

/// The definition, in float64, one query and one head at a time.
torch::Tensor plain_attention(const OneLayer& layer, const torch::Tensor& rows) {
    const MoeConfig& config = layer.config;
    const AttentionConfig& a = config.attention;
    const AttentionTensors& weights = layer.weights.attention;
    const auto project = [&](const Linear& linear, std::int64_t heads) {
        return torch::linear(rows, linear.weight, linear.bias)
            .view({rows.size(0), heads, -1})
            .to(torch::kFloat64);
    };
    const torch::Tensor q_and_gate = project(weights.q, a.num_heads);
    torch::Tensor q = q_and_gate.narrow(2, 0, a.head_dim).clone();
    torch::Tensor k = project(weights.k, a.num_kv_heads);
    torch::Tensor v = project(weights.v, a.num_kv_heads);
    if (a.clip_qkv > 0) v = v.clamp(-a.clip_qkv, a.clip_qkv);
    const std::int64_t length = rows.size(0);
    for (std::int64_t t = 0; t < length; ++t) {
        q[t] = prepared(config, q[t], weights.q_norm, t);
        k[t] = prepared(config, k[t], weights.k_norm, t);
    }
    torch::Tensor mixed = torch::zeros_like(q);
    const std::int64_t window = config.layers[0].sliding_window;
    for (std::int64_t t = 0; t < length; ++t) {
        const std::int64_t first = window > 0 ? std::max<std::int64_t>(0, t - window + 1) : 0;
        for (std::int64_t h = 0; h < a.num_heads; ++h) {
            const std::int64_t kv = h / (a.num_heads / a.num_kv_heads);
            torch::Tensor weight =
                torch::exp(k.slice(0, first, t + 1).select(1, kv).mv(q[t][h]) * a.scale);
            torch::Tensor sum = weight.sum();
            if (a.has_sinks) sum = sum + torch::exp(weights.sinks[h].to(torch::kFloat64));
            mixed[t][h] = v.slice(0, first, t + 1).select(1, kv).t().mv(weight / sum);
            if (a.has_output_gate) {
                mixed[t][h] *= torch::sigmoid(q_and_gate[t][h].narrow(0, a.head_dim, a.head_dim));
            }
        }
    }
    return torch::linear(mixed.view({length, -1}).to(torch::kFloat32), weights.output.weight,
                         weights.output.bias);
}

using Change = std::function<void(OneLayer&)>;

struct Variant {
    const char* name;
    std::int64_t length;
    Change change;
};

void use_window(OneLayer& layer, std::int64_t window) {
    layer.config.layers[0] = {.mixer = MixerKind::SlidingAttention, .sliding_window = window};
}

/// Queries are taken 256 at a time: lengths lie on both sides of that.
const std::vector<Variant>& variants() {
    static const std::vector<Variant> all{
        {"one token", 1, [](OneLayer&) {}},
        {"grouped queries", 40, [](OneLayer&) {}},
        {"one head for keys", 17, [](OneLayer& l) { l.config.attention.num_kv_heads = 1; }},
        {"window", 40, [](OneLayer& l) { use_window(l, 7); }},
        {"window of one", 9, [](OneLayer& l) { use_window(l, 1); }},
        {"a whole block", 256, [](OneLayer&) {}},
        {"two blocks", 300, [](OneLayer&) {}},
        {"two blocks with a window", 300, [](OneLayer& l) { use_window(l, 50); }},
        {"sinks", 30, [](OneLayer& l) { l.config.attention.has_sinks = true; }},
        {"sinks and a window over two blocks", 300,
         [](OneLayer& l) {
             l.config.attention.has_sinks = true;
             use_window(l, 6);
         }},
        {"no norm", 20, [](OneLayer& l) { l.config.attention.qk_norm = QkNorm::None; }},
        {"norm over all heads", 20,
         [](OneLayer& l) { l.config.attention.qk_norm = QkNorm::Whole; }},
        {"clipped", 20, [](OneLayer& l) { l.config.attention.clip_qkv = 0.4; }},
        {"output gate", 20, [](OneLayer& l) { l.config.attention.has_output_gate = true; }},
        {"a part is rotated", 20, [](OneLayer& l) { l.config.attention.rope.rotated_dims = 4; }},
        {"pairs side by side, scaled", 20,
         [](OneLayer& l) {
             l.config.attention.rope.style = RopeStyle::Pairs;
             l.config.attention.rope.attention_factor = 1.3;
         }},
    };
    return all;
}

}  // namespace

class TestAttention : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void equals_the_definition_data() {
        QTest::addColumn<int>("variant");
        for (std::size_t i = 0; i < variants().size(); ++i) {
            QTest::addRow("%s", variants()[i].name) << static_cast<int>(i);
        }
    }

    void equals_the_definition() {
        QFETCH(int, variant);
        const Variant& one = variants()[static_cast<std::size_t>(variant)];
        const torch::NoGradGuard no_grad;
        torch::manual_seed(1);
        OneLayer layer = plain_layer();
        one.change(layer);
        fill_weights(layer);
        const torch::Tensor rows = torch::randn({one.length, kHidden});
        const torch::Tensor out = layer.run(attention, rows, {one.length});
        // float32 against float64 with float32 projections.
        QVERIFY(largest_difference(out, plain_attention(layer, rows)) < 2e-5);
    }

    void sequences_do_not_see_each_other() {
        const torch::NoGradGuard no_grad;
        torch::manual_seed(2);
        OneLayer layer = plain_layer();
        fill_weights(layer);
        const torch::Tensor rows = torch::randn({12, kHidden});
        const torch::Tensor both = layer.run(attention, rows, {5, 7});
        const torch::Tensor second = layer.run(attention, rows.narrow(0, 5, 7), {7});
        QVERIFY(largest_difference(both.narrow(0, 5, 7), second) < 1e-5);
    }
};

QTEST_APPLESS_MAIN(TestAttention)
#include "tst_attention.moc"
