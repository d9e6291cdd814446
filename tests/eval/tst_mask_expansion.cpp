#include <QTest>
#include <cmath>
#include <limits>

#include "base/rng.h"
#include "eval/mask_expansion.h"
#include "infer/router.h"

using namespace espalier;

namespace {

using Kept = std::map<std::int64_t, std::vector<std::int32_t>>;

constexpr std::int64_t kExperts = 8;
constexpr std::int64_t kTopK = 2;
constexpr std::int64_t kTokens = 5000;  // more than a piece
constexpr std::int64_t kLabels = 3;
constexpr std::int64_t kScored = 4000;
const Kept kAbout = {{0, {0, 1, 2, 3, 5, 7}}, {1, {0, 1, 2, 3, 4, 5, 6, 7}}};

MoeConfig config_of(const QString& kind) {
    MoeConfig config;
    config.layers.resize(2);
    config.router = {.num_experts = kExperts, .top_k = kTopK};
    if (kind == "not normalised") config.router.normalises_top_k = false;
    if (kind == "groups, sigmoid, bias") {
        config.router.scoring = RouterScoring::Sigmoid;
        config.router.has_selection_bias = true;
        config.router.num_groups = 2;
        config.router.top_groups = 1;
        config.router.group_score = GroupScore::SumOfBestTwo;
        config.router.scale = 2.5;
    }
    return config;
}

ProjectedExperts some_experts(bool has_bias) {
    Rng rng = Rng(7).stream("experts");
    const auto fill = [&](std::vector<float>& values, std::int64_t count, double scale) {
        for (std::int64_t i = 0; i < count; ++i) {
            values.push_back(static_cast<float>(scale * (rng.uniform() - 0.5)));
        }
    };
    ProjectedExperts experts{.layers = {}, .num_labels = kLabels, .scored = kScored};
    for (std::int64_t index = 0; index < 2; ++index) {
        ProjectedLayer& layer = experts.layers[index];
        fill(layer.logits, kTokens * kExperts, 6);
        fill(layer.cost, kTokens * kExperts, 1);
        fill(layer.sampled, kTokens * kExperts * kLabels, 2);
        if (has_bias) fill(layer.selection_bias, kExperts, 1);
    }
    return experts;
}

/// What a layer's routed output is to the cost and to each label, token by token.
struct Output {
    std::vector<double> cost;
    std::vector<double> sampled;
};

Output output_of(const MoeConfig& config, const ProjectedLayer& layer,
                 const std::vector<std::int32_t>& kept) {
    std::vector<float> logits = layer.logits;
    for (std::size_t i = 0; i < logits.size(); ++i) {
        const auto expert = static_cast<std::int32_t>(i % kExperts);
        if (std::find(kept.begin(), kept.end(), expert) == kept.end())
            logits[i] = -std::numeric_limits<float>::infinity();
    }
    Routing routing;
    route(config.router, logits, layer.selection_bias, routing);
    Output output{std::vector<double>(kTokens), std::vector<double>(kTokens * kLabels)};
    for (std::size_t i = 0; i < routing.selected.size(); ++i) {
        const std::size_t token = i / kTopK;
        const auto at = token * kExperts + static_cast<std::size_t>(routing.selected[i]);
        const double weight = routing.weights[i];
        output.cost[token] += weight * layer.cost[at];
        for (std::size_t n = 0; n < kLabels; ++n) {
            output.sampled[token * kLabels + n] += weight * layer.sampled[at * kLabels + n];
        }
    }
    return output;
}

/// The expansion as its formula reads.
double cost_of(const MoeConfig& config, const ProjectedExperts& experts, const Kept& kept) {
    std::vector<double> moved(kTokens * kLabels);
    double sum = 0;
    for (const auto& [index, layer] : experts.layers) {
        const Output now = output_of(config, layer, kept.at(index));
        const Output about = output_of(config, layer, kAbout.at(index));
        for (std::size_t t = 0; t < kTokens; ++t) sum += now.cost[t] - about.cost[t];
        for (std::size_t i = 0; i < moved.size(); ++i)
            moved[i] += now.sampled[i] - about.sampled[i];
    }
    for (const double change : moved) sum += 0.5 * change * change / kLabels;
    return sum / kScored;
}

void compare(double actual, double expected) {
    const QByteArray told = QString("%1, %2").arg(actual).arg(expected).toLatin1();
    QVERIFY2(std::abs(actual - expected) < 1e-6 * (1 + std::abs(expected)), told.constData());
}

}  // namespace

class TestMaskExpansion : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void changes_are_those_of_the_formula_data() {
        QTest::addColumn<QString>("kind");
        for (const char* kind : {"normalised", "not normalised", "groups, sigmoid, bias"}) {
            QTest::addRow("%s", kind) << QString(kind);
        }
    }

    void changes_are_those_of_the_formula() {
        QFETCH(QString, kind);
        const MoeConfig config = config_of(kind);
        const ProjectedExperts experts = some_experts(config.router.has_selection_bias);
        ThreadPool pool(2);
        MaskExpansion expansion(config, experts, kAbout, pool);
        Kept kept = kAbout;
        double cost = 0;
        const std::vector<std::pair<std::int64_t, std::vector<std::int32_t>>> steps = {
            {0, {0, 1, 2, 3, 5, 7}},        // as it is
            {0, {0, 1, 2, 3, 7}},           // one goes
            {1, {0, 1, 2, 5, 6, 7}},        // two, in the other layer
            {0, {0, 1, 2, 3, 4, 7}},        // one comes that was not there
            {0, {1, 2, 3, 4, 6, 7}},        // one for another
            {1, {0, 1, 2, 3, 4, 5, 6, 7}},  // back to all
            {0, {0, 1, 2, 3, 5, 7}},        // back to where it began
        };
        for (const auto& [layer, ids] : steps) {
            kept[layer] = ids;
            const double expected = cost_of(config, experts, kept);
            compare(expansion.change(layer, ids), expected - cost);
            expansion.take(layer, ids);
            compare(expansion.change(layer, ids), 0);
            cost = expected;
        }
        compare(cost, 0);
    }

    void threads_change_nothing() {
        const MoeConfig config = config_of("normalised");
        ThreadPool one(1);
        ThreadPool two(2);
        const MaskExpansion a(config, some_experts(false), kAbout, one);
        const MaskExpansion b(config, some_experts(false), kAbout, two);
        QCOMPARE(a.change(0, {0, 1, 2}), b.change(0, {0, 1, 2}));
    }

    void fewer_than_a_token_needs_cost_infinitely_much() {
        ThreadPool pool(1);
        const MaskExpansion expansion(config_of("normalised"), some_experts(false), kAbout, pool);
        QVERIFY(std::isinf(expansion.change(0, {3})));
        QVERIFY(std::isfinite(expansion.change(0, {3, 5})));
    }
};

QTEST_APPLESS_MAIN(TestMaskExpansion)
#include "tst_mask_expansion.moc"
