#include <QTest>
#include <cmath>
#include <vector>

#include "base/rng.h"
#include "kernels/delta_rule.h"
#include "kernels/each_target.h"

using namespace espalier;

namespace {

std::vector<float> random_values(std::size_t count, const char* name) {
    Rng rng = Rng(3).stream(name);
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>(rng.normal());
    return values;
}

/// Inputs of one head with rows further apart than they are long, as they lie beside other heads.
struct Head {
    std::size_t tokens;
    std::size_t key_dim;
    std::size_t width;
    std::size_t stride = key_dim + width + 3;
    std::vector<float> queries = random_values(tokens * stride, "queries");
    std::vector<float> keys = random_values(tokens * stride, "keys");
    std::vector<float> values = random_values(tokens * stride, "values");
    std::vector<float> decays = random_values(tokens, "decays");
    std::vector<float> strengths = random_values(tokens, "strengths");
    std::vector<float> state = random_values(key_dim * width, "state");

    Head(std::size_t t, std::size_t k, std::size_t w) : tokens(t), key_dim(k), width(w) {
        for (float& v : keys) v /= std::sqrt(static_cast<float>(key_dim));
        for (float& v : decays) v = 1.0F / (1.0F + v * v);
        for (float& v : strengths) v = 1.0F / (1.0F + std::exp(-v));
    }

    kernels::RowsView rows(const std::vector<float>& from, std::size_t first,
                           std::size_t count) const {
        return {.values = std::span(from).subspan(first * stride),
                .count = count,
                .stride = stride,
                .picked = {}};
    }
    kernels::DeltaRun run(std::size_t first, std::size_t count) const {
        return {.queries = rows(queries, first, count),
                .keys = rows(keys, first, count),
                .values = rows(values, first, count),
                .decays = std::span(decays).subspan(first, count),
                .strengths = std::span(strengths).subspan(first, count),
                .key_dim = key_dim,
                .width = width};
    }
};

/// The definition, in double: a state and the outputs.
std::pair<std::vector<double>, std::vector<double>> scalar_rule(const Head& head) {
    std::vector<double> state(head.state.begin(), head.state.end());
    std::vector<double> out;
    for (std::size_t t = 0; t < head.tokens; ++t) {
        const float* key = head.keys.data() + t * head.stride;
        const float* query = head.queries.data() + t * head.stride;
        for (std::size_t c = 0; c < head.width; ++c) {
            double known = 0;
            for (std::size_t i = 0; i < head.key_dim; ++i) {
                state[i * head.width + c] *= static_cast<double>(head.decays[t]);
                known += state[i * head.width + c] * static_cast<double>(key[i]);
            }
            const double change = static_cast<double>(head.strengths[t]) *
                                  (static_cast<double>(head.values[t * head.stride + c]) - known);
            double result = 0;
            for (std::size_t i = 0; i < head.key_dim; ++i) {
                state[i * head.width + c] += static_cast<double>(key[i]) * change;
                result += state[i * head.width + c] * static_cast<double>(query[i]);
            }
            out.push_back(result);
        }
    }
    return {state, out};
}

double largest_error(std::span<const float> actual, std::span<const double> expected) {
    double largest = actual.size() == expected.size() ? 0 : 1e30;
    for (std::size_t i = 0; i < expected.size() && largest < 1e30; ++i) {
        const double error = std::abs(static_cast<double>(actual[i]) - expected[i]);
        largest = error <= largest ? largest : error;
    }
    return largest;
}

}  // namespace

class TestDeltaRule : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void follows_the_definition_data() {
        QTest::addColumn<std::size_t>("key_dim");
        QTest::addColumn<std::size_t>("width");
        for (const std::size_t key_dim : {1, 7, 16, 128}) {
            for (const std::size_t width : {1, 3, 4, 8, 9, 16, 23, 31, 32}) {
                QTest::addRow("%zu x %zu", key_dim, width) << key_dim << width;
            }
        }
    }
    void follows_the_definition() {
        QFETCH(std::size_t, key_dim);
        QFETCH(std::size_t, width);
        const Head head(70, key_dim, width);
        const auto [expected_state, expected] = scalar_rule(head);
        for_each_target([&](const std::string& target) {
            auto state = head.state;
            std::vector<float> out(head.tokens * width);
            kernels::delta_rule(head.run(0, head.tokens), state, {.values = out, .stride = width});
            // Sums of up to 128 products of size 1, each rounded at 6e-8.
            QVERIFY2(largest_error(out, expected) < 1e-4, target.c_str());
            QVERIFY2(largest_error(state, expected_state) < 1e-5, target.c_str());
        });
    }

    void runs_of_tokens_join_without_a_seam() {
        const Head head(40, 24, 20);
        for_each_target([&](const std::string&) {
            auto whole_state = head.state;
            std::vector<float> whole(head.tokens * head.width);
            kernels::delta_rule(head.run(0, 40), whole_state, {.values = whole, .stride = 20});
            auto state = head.state;
            std::vector<float> parts(whole.size());
            for (std::size_t first = 0, n = 1; first < 40; first += n, n = n % 7 + 1) {
                n = std::min(n, 40 - first);
                kernels::delta_rule(head.run(first, n), state,
                                    {.values = std::span(parts).subspan(first * 20), .stride = 20});
            }
            QCOMPARE(parts, whole);
            QCOMPARE(state, whole_state);
        });
    }

    void no_strength_forgets_and_learns_nothing() {
        Head head(1, 8, 8);
        head.strengths[0] = 0.0F;
        head.decays[0] = 0.5F;
        for_each_target([&](const std::string&) {
            auto state = head.state;
            std::vector<float> out(8);
            kernels::delta_rule(head.run(0, 1), state, {.values = out, .stride = 8});
            for (std::size_t i = 0; i < state.size(); ++i) {
                QCOMPARE(state[i], 0.5F * head.state[i]);
            }
        });
    }
};

QTEST_APPLESS_MAIN(TestDeltaRule)
#include "tst_delta_rule.moc"
