#include <ATen/core/grad_mode.h>
#include <QTest>
#include <map>

#include "nn/latent_attention.h"
#include "one_layer.h"

using namespace espalier;

namespace {

constexpr std::int64_t kHidden = 12;
constexpr std::int64_t kHeads = 3;
constexpr LatentConfig kSizes{
    .query_rank = 10, .rank = 7, .nope_dim = 5, .rope_dim = 4, .value_dim = 6};

OneLayer make_layer(const LatentConfig& sizes, RopeStyle style) {
    OneLayer layer;
    layer.config.hidden_size = kHidden;
    layer.config.rms_norm_eps = 0.1;  // must not be used here
    layer.config.layers = {{.mixer = MixerKind::LatentAttention}};
    const std::int64_t key = sizes.nope_dim + sizes.rope_dim;
    layer.config.attention = {
        .num_heads = kHeads,
        .num_kv_heads = kHeads,
        .head_dim = key,
        .scale = 0.4,
        .rope = {.theta = 50.0, .rotated_dims = sizes.rope_dim, .style = style},
        .latent = sizes};
    Linear key_up = random_linear(kHeads * sizes.nope_dim, sizes.rank);
    Linear value_up = random_linear(kHeads * sizes.value_dim, sizes.rank);
    key_up.bias = torch::Tensor();
    value_up.bias = torch::Tensor();
    Linear q_up = random_linear(kHeads * key, sizes.query_rank > 0 ? sizes.query_rank : kHidden);
    q_up.bias = torch::Tensor();
    layer.weights.latent = {.q = q_up,
                            .q_down = random_linear(sizes.query_rank, kHidden),
                            .q_norm = random_norm(sizes.query_rank),
                            .q_up = q_up,
                            .kv_down = random_linear(sizes.rank + sizes.rope_dim, kHidden),
                            .kv_norm = random_norm(sizes.rank),
                            .key_up = key_up,
                            .value_up = value_up};
    layer.weights.attention.output = random_linear(kHidden, kHeads * sizes.value_dim);
    return layer;
}

torch::Tensor times(const Linear& linear, const torch::Tensor& x) {
    const torch::Tensor out = linear.weight.to(torch::kFloat64).mv(x);
    return linear.bias.defined() ? out + linear.bias.to(torch::kFloat64) : out;
}

/// The definition, in float64, one query and one head at a time.
torch::Tensor plain_attention(const OneLayer& layer, const torch::Tensor& input) {
    const AttentionConfig& a = layer.config.attention;
    const LatentConfig& sizes = a.latent;
    const LatentTensors& w = layer.weights.latent;
    const torch::Tensor rows = input.to(torch::kFloat64);
    const std::int64_t length = rows.size(0);
    std::vector<torch::Tensor> q, k, v;
    for (std::int64_t t = 0; t < length; ++t) {
        const torch::Tensor query =
            sizes.query_rank > 0 ? times(w.q_up, normed(times(w.q_down, rows[t]), w.q_norm, 1e-6))
                                 : times(w.q, rows[t]);
        torch::Tensor heads = query.view({kHeads, a.head_dim}).clone();
        const torch::Tensor row = times(w.kv_down, rows[t]);
        const torch::Tensor latent = normed(row.narrow(0, 0, sizes.rank), w.kv_norm, 1e-6);
        const torch::Tensor shared = turned(row.narrow(0, sizes.rank, sizes.rope_dim), a.rope, t);
        torch::Tensor keys = torch::zeros_like(heads);
        for (std::int64_t h = 0; h < kHeads; ++h) {
            auto part = heads[h].narrow(0, sizes.nope_dim, sizes.rope_dim);
            part.copy_(turned(part.clone(), a.rope, t));
            keys[h]
                .narrow(0, 0, sizes.nope_dim)
                .copy_(times(w.key_up, latent).narrow(0, h * sizes.nope_dim, sizes.nope_dim));
            keys[h].narrow(0, sizes.nope_dim, sizes.rope_dim).copy_(shared);
        }
        q.push_back(heads);
        k.push_back(keys);
        v.push_back(times(w.value_up, latent).view({kHeads, sizes.value_dim}));
    }
    torch::Tensor out = torch::zeros({length, kHidden}, torch::kFloat64);
    for (std::int64_t t = 0; t < length; ++t) {
        torch::Tensor mixed = torch::zeros({kHeads, sizes.value_dim}, torch::kFloat64);
        for (std::int64_t h = 0; h < kHeads; ++h) {
            torch::Tensor scores = torch::zeros({t + 1}, torch::kFloat64);
            for (std::int64_t s = 0; s <= t; ++s) {
                scores[s] =
                    (q[static_cast<std::size_t>(t)][h] * k[static_cast<std::size_t>(s)][h]).sum() *
                    a.scale;
            }
            const torch::Tensor probs = torch::softmax(scores, 0);
            for (std::int64_t s = 0; s <= t; ++s) {
                mixed[h] += probs[s] * v[static_cast<std::size_t>(s)][h];
            }
        }
        out[t] = times(layer.weights.attention.output, mixed.flatten());
    }
    return out;
}

/// Keeps the shapes of what matrices were multiplied with.
class ShapeTap final : public LayerTap {
public:
    std::map<TensorRole, std::vector<std::int64_t>> columns;
    void on_input(std::span<const TensorRole> roles, const torch::Tensor& rows) override {
        for (const TensorRole role : roles) columns[role].push_back(rows.size(1));
    }
};

}  // namespace

class TestLatentAttention : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void equals_the_definition_data() {
        QTest::addColumn<qint64>("query_rank");
        QTest::addColumn<bool>("pairs");
        QTest::addRow("compressed queries, pairs") << qint64{10} << true;
        QTest::addRow("compressed queries, halves") << qint64{10} << false;
        QTest::addRow("direct queries") << qint64{0} << true;
    }

    void equals_the_definition() {
        QFETCH(qint64, query_rank);
        QFETCH(bool, pairs);
        const torch::NoGradGuard no_grad;
        torch::manual_seed(3);
        LatentConfig sizes = kSizes;
        sizes.query_rank = query_rank;
        const OneLayer layer = make_layer(sizes, pairs ? RopeStyle::Pairs : RopeStyle::Half);
        const torch::Tensor rows = torch::randn({21, kHidden});
        const torch::Tensor out = layer.run(latent_attention, rows, {9, 12});
        // float32 against float64.
        QVERIFY(largest_difference(out.narrow(0, 0, 9),
                                   plain_attention(layer, rows.narrow(0, 0, 9))) < 2e-5);
        QVERIFY(largest_difference(out.narrow(0, 9, 12),
                                   plain_attention(layer, rows.narrow(0, 9, 12))) < 2e-5);
    }

    void shows_what_each_matrix_is_multiplied_with() {
        const torch::NoGradGuard no_grad;
        OneLayer layer = make_layer(kSizes, RopeStyle::Pairs);
        ShapeTap tap;
        layer.tap = &tap;
        layer.run(latent_attention, torch::randn({6, kHidden}), {6});
        using Columns = std::vector<std::int64_t>;
        QCOMPARE(tap.columns.at(TensorRole::LatentQDown), Columns{kHidden});
        QCOMPARE(tap.columns.at(TensorRole::LatentQUp), Columns{kSizes.query_rank});
        QCOMPARE(tap.columns.at(TensorRole::LatentKvDown), Columns{kHidden});
        QCOMPARE(tap.columns.at(TensorRole::LatentKeyUp), Columns{kHeads * kSizes.nope_dim});
        QCOMPARE(tap.columns.at(TensorRole::LatentValueUp), Columns{kSizes.rank});
        QCOMPARE(tap.columns.at(TensorRole::AttentionOutput), Columns{kHeads * kSizes.value_dim});
        QCOMPARE(tap.columns.size(), std::size_t{6});
    }
};

QTEST_APPLESS_MAIN(TestLatentAttention)
#include "tst_latent_attention.moc"
