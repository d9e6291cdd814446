#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <set>
#include <utility>

#include <c10/core/InferenceMode.h>

#include "base/atomic_file.h"
#include "base/rng.h"
#include "calib/calibrate.h"
#include "calib/substitution.h"
#include "calib/token_outputs.h"
#include "nn/block.h"
#include "nn/embedding.h"
#include "nn/golden_model.h"
#include "nn/router.h"
#include "nn/torch_tensors.h"
#include "routing/criterion.h"
#include "routing/expert_stats.h"

using namespace espalier;
namespace fs = std::filesystem;

namespace {

using Row = std::vector<double>;

double product(const Row& a, const Row& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
}

Row row_of(const torch::Tensor& matrix, std::int64_t row) {
    const torch::Tensor values = matrix[row].to(torch::kFloat64).contiguous();
    return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
}

/// matrix * x + bias, in double.
Row times(const Linear& linear, const Row& x) {
    Row y(static_cast<std::size_t>(linear.weight.size(0)));
    for (std::size_t i = 0; i < y.size(); ++i) {
        y[i] = product(row_of(linear.weight, static_cast<std::int64_t>(i)), x);
        if (linear.bias.defined()) {
            y[i] += linear.bias[static_cast<std::int64_t>(i)].item<double>();
        }
    }
    return y;
}

double activated(const ExpertConfig& config, double gate, double up) {
    if (config.activation == ExpertActivation::Silu) return gate / (1 + std::exp(-gate)) * up;
    const double held = std::min(gate, config.limit);
    return held / (1 + std::exp(-config.alpha * held)) *
           (std::clamp(up, -config.limit, config.limit) + 1);
}

/// What one layer gets and decides, token after token.
struct LayerRecord {
    LayerTensors weights;
    std::vector<Row> residual;
    std::vector<Row> input;
    std::vector<Row> logits;
    torch::Tensor input_rows;
    std::vector<std::vector<std::int64_t>> selected;
    std::vector<Row> gates;
    /// [token][expert]: all of them, chosen or not
    std::vector<std::vector<Row>> activation;
    std::vector<std::vector<Row>> output;

    std::size_t slot(std::size_t token, std::int64_t expert) const {
        const auto& chosen = selected[token];
        return static_cast<std::size_t>(std::find(chosen.begin(), chosen.end(), expert) -
                                        chosen.begin());
    }
    /// 0 if the expert was not chosen.
    double gate(std::size_t token, std::int64_t expert) const {
        const std::size_t place = slot(token, expert);
        return place < selected[token].size() ? gates[token][place] : 0.0;
    }
};

class Recorder final : public LayerTap {
public:
    explicit Recorder(LayerRecord& record) : record_(record) {}
    void on_input(std::span<const TensorRole> roles, const torch::Tensor& rows) override {
        if (std::find(roles.begin(), roles.end(), TensorRole::Router) == roles.end()) return;
        record_.input_rows =
            record_.input_rows.defined() ? torch::cat({record_.input_rows, rows}) : rows;
        append(rows, record_.input);
    }
    void on_residual(const torch::Tensor& rows) override { append(rows, record_.residual); }
    void on_routing(const RoutedRows& routing) override {
        append(routing.logits, record_.logits);
        append(routing.weights, record_.gates);
        for (std::int64_t t = 0; t < routing.selected.size(0); ++t) {
            const torch::Tensor row = routing.selected[t].contiguous();
            record_.selected.emplace_back(row.data_ptr<std::int64_t>(),
                                          row.data_ptr<std::int64_t>() + row.numel());
        }
    }

private:
    static void append(const torch::Tensor& rows, std::vector<Row>& to) {
        for (std::int64_t t = 0; t < rows.size(0); ++t) to.push_back(row_of(rows, t));
    }
    LayerRecord& record_;
};

/// Every expert on every token, one number at a time.
void evaluate_all(const MoeConfig& config, LayerRecord& record) {
    std::vector<GatedMlp> experts;
    for (std::int64_t e = 0; e < config.router.num_experts; ++e) {
        experts.push_back(record.weights.experts.at(e));
    }
    for (const Row& x : record.input) {
        auto& activations = record.activation.emplace_back();
        auto& outputs = record.output.emplace_back();
        for (const GatedMlp& mlp : experts) {
            Row hidden = times(mlp.gate, x);
            const Row up = times(mlp.up, x);
            for (std::size_t c = 0; c < up.size(); ++c) {
                hidden[c] = activated(config.experts, hidden[c], up[c]);
            }
            outputs.push_back(times(mlp.down, hidden));
            activations.push_back(std::move(hidden));
        }
    }
}

std::map<std::int64_t, LayerRecord> record(const ModelSource& source,
                                           const std::vector<std::vector<std::int32_t>>& rows) {
    const c10::InferenceMode inference;
    const MoeConfig& config = source.config();
    std::map<std::int64_t, LayerRecord> records;
    std::vector<torch::Tensor> hidden;
    for (const auto& row : rows) hidden.push_back(embed_tokens(source, row));
    const Rotary rotary(config.attention.rope, hidden.front().size(0));
    const std::vector<bool> all_kept;
    for (std::int64_t layer = 0; layer < config.num_layers(); ++layer) {
        LayerRecord own;
        own.weights = load_layer(source, layer, {});
        Recorder recorder(own);
        for (torch::Tensor& stream : hidden) {
            const Sequences sequence{{stream.size(0)}};
            stream = run_block({.config = config,
                                .layer = layer,
                                .weights = own.weights,
                                .rotary = rotary,
                                .sequences = sequence,
                                .removed = all_kept,
                                .tap = &recorder,
                                .stop = {}},
                               stream);
        }
        if (own.selected.empty()) continue;
        evaluate_all(config, own);
        records.emplace(layer, std::move(own));
    }
    return records;
}

/// The routed output of a token under other choices and gates.
Row mixture(const LayerRecord& record, std::size_t token, const std::vector<std::int64_t>& experts,
            const Row& gates) {
    Row sum(record.residual[token].size());
    for (std::size_t i = 0; i < experts.size(); ++i) {
        const Row& output = record.output[token][static_cast<std::size_t>(experts[i])];
        for (std::size_t c = 0; c < sum.size(); ++c) sum[c] += gates[i] * output[c];
    }
    return sum;
}

Row plus(const Row& a, const Row& b, double factor) {
    Row sum = a;
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += factor * b[i];
    return sum;
}

/// Best of the experts that were not chosen in the best groups, by score plus bias.
std::size_t naive_runner_up(const RouterConfig& router, const LayerRecord& record,
                            std::size_t token) {
    const auto experts = static_cast<std::size_t>(router.num_experts);
    const std::size_t size = experts / static_cast<std::size_t>(router.num_groups);
    Row scores(experts);
    for (std::size_t e = 0; e < experts; ++e) {
        scores[e] = 1 / (1 + std::exp(-record.logits[token][e]));
        if (router.has_selection_bias) {
            scores[e] +=
                record.weights.router.selection_bias[static_cast<std::int64_t>(e)].item<double>();
        }
    }
    std::vector<std::pair<double, std::size_t>> groups;
    for (std::size_t g = 0; g < experts / size; ++g) {
        Row own(scores.begin() + static_cast<std::ptrdiff_t>(g * size),
                scores.begin() + static_cast<std::ptrdiff_t>((g + 1) * size));
        std::sort(own.begin(), own.end(), std::greater<>());
        groups.emplace_back(own[0] + own[1], g);
    }
    std::sort(groups.begin(), groups.end(), std::greater<>());
    groups.resize(static_cast<std::size_t>(router.top_groups));
    std::size_t best = experts;
    for (const auto& [score, group] : groups) {
        for (std::size_t e = group * size; e < (group + 1) * size; ++e) {
            if (record.gate(token, static_cast<std::int64_t>(e)) != 0) continue;
            if (best == experts || scores[e] > scores[best]) best = e;
        }
    }
    return best;
}

/// f(token, expert, gate) for every choice.
void for_each_choice(const LayerRecord& record,
                     const std::function<void(std::size_t, std::size_t, double)>& visit) {
    for (std::size_t t = 0; t < record.selected.size(); ++t) {
        for (const std::int64_t e : record.selected[t]) {
            visit(t, static_cast<std::size_t>(e), record.gate(t, e));
        }
    }
}

/// Numbers of the file against those of the naive loops; float32 computes what double expects.
void compare(const std::vector<double>& found, const std::vector<double>& expected,
             const char* name, double relative = 2e-5) {
    QVERIFY2(found.size() == expected.size(),
             qPrintable(QString("%1: %2 values").arg(name).arg(found.size())));
    double largest = 0;
    for (const double value : expected) largest = std::max(largest, std::abs(value));
    for (std::size_t i = 0; i < expected.size(); ++i) {
        QVERIFY2(std::abs(found[i] - expected[i]) <=
                     relative * std::abs(expected[i]) + 1e-1 * relative * largest,
                 qPrintable(QString("%1[%2]: %3 is not %4")
                                .arg(name)
                                .arg(i)
                                .arg(found[i], 0, 'g', 10)
                                .arg(expected[i], 0, 'g', 10)));
    }
}

struct Measured {
    std::unique_ptr<ModelSource> source;
    std::vector<std::vector<std::int32_t>> rows;
    ExpertStats stats;
    std::map<std::int64_t, LayerRecord> records;
};

ExpertStats calibrated(const fs::path& model, const std::vector<std::vector<std::int32_t>>& rows,
                       const std::string& stats, const fs::path& folder) {
    write_file(folder / "ids.json", Json(rows).dump());
    calibrate({.model = model,
               .ids = folder / "ids.json",
               .out = folder / "stats.safetensors",
               .compute_dtype = "F32",
               .stats = stats},
              {}, {});
    ExpertStats loaded = load_expert_stats(folder / "stats.safetensors", true);
    load_expert_contexts(folder / "stats.safetensors", loaded);
    return loaded;
}

/// One measurement a model: the naive loops are the slow part.
const Measured& measured(const std::string& name) {
    static std::map<std::string, Measured> all;
    const auto found = all.find(name);
    if (found != all.end()) return found->second;
    const fs::path model = golden_model::folder(name);
    const QTemporaryDir folder;
    Measured result;
    result.source = ModelSource::open(model);
    // Two rows of the reference, cut into nine windows.
    for (const auto& row :
         golden_model::rows_of_ids(SafetensorsFile(model / "golden.safetensors"))) {
        for (std::size_t at = 0; at < row.size(); at += 5) {
            const auto end = std::min(row.size(), at + 5);
            result.rows.emplace_back(row.begin() + static_cast<std::ptrdiff_t>(at),
                                     row.begin() + static_cast<std::ptrdiff_t>(end));
        }
    }
    result.stats = calibrated(model, result.rows, "all", folder.path().toStdString());
    result.records = record(*result.source, result.rows);
    return all.emplace(name, std::move(result)).first->second;
}

}  // namespace

class TestOptionalStatistics : public QObject {
    Q_OBJECT

private:
    static void families() {
        QTest::addColumn<std::string>("name");
        for (const char* name :
             {"qwen3_moe-basic", "olmoe-basic", "deepseek_v3-basic", "gpt_oss-basic",
              "granitemoe-multipliers", "qwen2_moe-shared-expert"}) {
            QTest::addRow("%s", name) << std::string(name);
        }
    }

private Q_SLOTS:
    void gram_of_gated_outputs_data() { families(); }
    void gram_of_gated_outputs() {
        QFETCH(std::string, name);
        const Measured& test = measured(name);
        QVERIFY(!test.records.empty());
        const auto experts = static_cast<std::size_t>(test.stats.num_experts);
        for (const auto& [index, record] : test.records) {
            std::vector<double> gram(experts * experts);
            for_each_choice(record, [&](std::size_t t, std::size_t i, double gate) {
                for (const std::int64_t j : record.selected[t]) {
                    gram[i * experts + static_cast<std::size_t>(j)] +=
                        gate * record.gate(t, j) *
                        product(record.output[t][i], record.output[t][static_cast<std::size_t>(j)]);
                }
            });
            compare(test.stats.layers.at(index).gated_gram, gram, "gated_gram", 1e-4);
        }
    }

    void turn_of_the_stream_data() { families(); }
    void turn_of_the_stream() {
        QFETCH(std::string, name);
        const Measured& test = measured(name);
        for (const auto& [index, record] : test.records) {
            std::vector<double> sums(static_cast<std::size_t>(test.stats.num_experts));
            double stream_sq = 0;
            for (const Row& h : record.residual) stream_sq += product(h, h);
            for_each_choice(record, [&](std::size_t t, std::size_t e, double gate) {
                const Row& h = record.residual[t];
                const Row after = plus(h, mixture(record, t, record.selected[t], record.gates[t]),
                                       test.source->config().residual_multiplier);
                const double cosine =
                    product(h, after) / std::sqrt(product(h, h) * product(after, after));
                sums[e] += gate * std::sqrt(product(record.output[t][e], record.output[t][e])) *
                           std::max(0.0, 1 - cosine);
            });
            const LayerStats& layer = test.stats.layers.at(index);
            compare(layer.easy_ep_sum, sums, "easy_ep_sum", 1e-4);
            compare(layer.task_easy_ep_sum, sums, "of the task", 1e-4);
            compare(layer.hidden_sq_sum, {stream_sq}, "hidden_sq_sum");
        }
    }

    /// The router itself says what it would do without the expert. Where it chooses among groups,
    /// losing an expert can make it choose other groups; the statistic puts in the runner-up alone,
    /// so there the router is left with nobody else.
    void change_when_the_runner_up_steps_in_data() { families(); }
    void change_when_the_runner_up_steps_in() {
        QFETCH(std::string, name);
        const Measured& test = measured(name);
        const RouterConfig& router = test.source->config().router;
        for (const auto& [index, record] : test.records) {
            std::vector<double> sums(static_cast<std::size_t>(router.num_experts));
            std::vector<double> squares(sums.size());
            for (std::int64_t gone = 0; gone < router.num_experts; ++gone) {
                for (std::size_t t = 0; t < record.selected.size(); ++t) {
                    if (record.gate(t, gone) == 0) continue;
                    std::vector<bool> removed(sums.size());
                    if (router.num_groups > 1) {
                        removed.assign(sums.size(), true);
                        for (const auto e : record.selected[t]) {
                            removed[static_cast<std::size_t>(e)] = false;
                        }
                        removed[naive_runner_up(router, record, t)] = false;
                    }
                    removed[static_cast<std::size_t>(gone)] = true;
                    const auto token = static_cast<std::int64_t>(t);
                    const RoutedRows other =
                        route(router, record.weights.router,
                              record.input_rows.slice(0, token, token + 1), removed);
                    std::vector<std::int64_t> chosen;
                    for (std::int64_t i = 0; i < router.top_k; ++i) {
                        chosen.push_back(other.selected[0][i].item<std::int64_t>());
                    }
                    const Row change =
                        plus(mixture(record, t, record.selected[t], record.gates[t]),
                             mixture(record, t, chosen, row_of(other.weights, 0)), -1);
                    const Row& h = record.residual[t];
                    const double share = product(change, change) / (product(h, h) + 1e-12);
                    sums[static_cast<std::size_t>(gone)] += share;
                    squares[static_cast<std::size_t>(gone)] += share * share;
                }
            }
            const LayerStats& layer = test.stats.layers.at(index);
            compare(layer.substitution_sum, sums, "sas_sum", 2e-4);
            compare(layer.substitution_sq_sum, squares, "sas_sq_sum", 4e-4);
        }
    }

    void energy_of_hidden_channels_data() { families(); }
    void energy_of_hidden_channels() {
        QFETCH(std::string, name);
        const Measured& test = measured(name);
        const auto width = static_cast<std::size_t>(test.source->config().moe_intermediate_size);
        const auto experts = static_cast<std::size_t>(test.stats.num_experts);
        for (const auto& [index, record] : test.records) {
            std::vector<double> energy(experts * width);
            std::vector<double> largest(energy.size());
            for_each_choice(record, [&](std::size_t t, std::size_t e, double gate) {
                for (std::size_t c = 0; c < width; ++c) {
                    const double phi = gate * record.activation[t][e][c];
                    energy[e * width + c] += phi * phi;
                    largest[e * width + c] = std::max(largest[e * width + c], phi * phi);
                }
            });
            std::vector<double> column_sq(energy.size());
            for (std::size_t e = 0; e < experts; ++e) {
                const GatedMlp mlp = record.weights.experts.at(static_cast<std::int64_t>(e));
                for (std::size_t c = 0; c < width; ++c) {
                    const Row column = row_of(mlp.down.weight.t(), static_cast<std::int64_t>(c));
                    column_sq[e * width + c] = product(column, column);
                }
            }
            const LayerStats& layer = test.stats.layers.at(index);
            compare(layer.channel_energy, energy, "channel_energy", 1e-4);
            compare(layer.channel_max_sq, largest, "channel_max_sq", 1e-4);
            compare(layer.down_column_sq, column_sq, "down_column_sq");
            std::vector<double> scores(experts);
            for (std::size_t i = 0; i < largest.size(); ++i) {
                scores[i / width] += column_sq[i] * largest[i];
            }
            compare(find_criterion("camera").score(layer, {}), scores, "camera", 1e-4);
        }
    }

    void variance_of_outputs() {
        const Measured& test = measured("qwen3_moe-basic");
        for (const auto& [index, record] : test.records) {
            const auto experts = static_cast<std::size_t>(test.stats.num_experts);
            std::vector<double> variance(experts);
            std::vector<Row> mean(experts, Row(record.residual.front().size()));
            const auto& count = test.stats.layers.at(index).count;
            for_each_choice(record, [&](std::size_t t, std::size_t e, double) {
                mean[e] = plus(mean[e], record.output[t][e], 1 / static_cast<double>(count[e]));
            });
            for_each_choice(record, [&](std::size_t t, std::size_t e, double) {
                const Row off = plus(record.output[t][e], mean[e], -1);
                variance[e] += product(off, off) / static_cast<double>(count[e]);
            });
            compare(find_criterion("mone").score(test.stats.layers.at(index), {}), variance, "mone",
                    1e-4);
        }
    }

    void samples_for_merging() {
        const Measured& test = measured("qwen3_moe-basic");
        for (const auto& [index, record] : test.records) {
            const std::size_t tokens = record.input.size();
            const auto experts = static_cast<std::size_t>(test.stats.num_experts);
            std::vector<double> profile(experts * tokens);
            std::vector<double> inputs;
            for (std::size_t t = 0; t < tokens; ++t) {  // fewer than 512: all of them, in order
                inputs.insert(inputs.end(), record.input[t].begin(), record.input[t].end());
                for (std::size_t e = 0; e < experts; ++e) {
                    profile[e * tokens + t] = record.logits[t][e];
                }
            }
            const std::size_t hidden = record.input.front().size();
            std::vector<double> gated(experts * hidden);
            for_each_choice(record, [&](std::size_t t, std::size_t e, double gate) {
                for (std::size_t c = 0; c < hidden; ++c) {
                    gated[e * hidden + c] += gate * record.output[t][e][c];
                }
            });
            const LayerStats& layer = test.stats.layers.at(index);
            compare(layer.router_profile, profile, "router_profile");
            compare(layer.input_sample, inputs, "input_sample");
            compare(layer.gated_output_sum, gated, "gated_output_sum", 1e-4);
        }
    }

    void counts_by_place_and_by_doubling() {
        const Measured& test = measured("qwen3_moe-basic");
        const auto experts = static_cast<std::size_t>(test.stats.num_experts);
        for (const auto& [index, record] : test.records) {
            std::vector<std::int64_t> positions(experts * kPositionBins);
            std::vector<std::int64_t> doublings(kDoublings * experts);
            std::vector<double> gates(kDoublings * experts);
            std::vector<double> norms(kDoublings * experts);
            std::size_t t = 0;
            for (std::size_t window = 0; window < test.rows.size(); ++window) {
                const std::size_t joins = window % 8 == 0   ? 0
                                          : window % 4 == 0 ? 1
                                          : window % 2 == 0 ? 2
                                                            : 3;
                for (std::size_t i = 0; i < test.rows[window].size(); ++i, ++t) {
                    for (const std::int64_t id : record.selected[t]) {
                        const auto e = static_cast<std::size_t>(id);
                        ++positions[e * kPositionBins + i * kPositionBins / 5];
                        ++doublings[joins * experts + e];
                        gates[joins * experts + e] += record.gate(t, id);
                        const Row& f = record.output[t][e];
                        norms[joins * experts + e] += record.gate(t, id) * std::sqrt(product(f, f));
                    }
                }
            }
            const LayerStats& layer = test.stats.layers.at(index);
            QCOMPARE(layer.position_count, positions);
            QCOMPARE(layer.doubling_count, doublings);
            compare(layer.doubling_gate_sum, gates, "doubling_gate_mass");
            compare(layer.doubling_gated_norm_sum, norms, "doubling_wean_sum", 1e-4);
        }
    }

    void strongest_tokens_of_each_expert() {
        const Measured& test = measured("qwen3_moe-basic");
        for (const auto& [index, record] : test.records) {
            const auto& lists = test.stats.layers.at(index).top_contexts;
            QCOMPARE(lists.size(), static_cast<std::size_t>(test.stats.num_experts));
            std::vector<std::vector<double>> gates(lists.size());
            for_each_choice(
                record, [&](std::size_t, std::size_t e, double gate) { gates[e].push_back(gate); });
            for (std::size_t e = 0; e < lists.size(); ++e) {
                std::sort(gates[e].begin(), gates[e].end(), std::greater<>());
                QCOMPARE(lists[e].size(), std::min(gates[e].size(), kTopContexts));
                for (std::size_t i = 0; i < lists[e].size(); ++i) {
                    const TopContext& context = lists[e][i];
                    QVERIFY(std::abs(context.gate - gates[e][i]) < 1e-5);
                    const auto window = static_cast<std::size_t>(context.window);
                    const auto position = static_cast<std::size_t>(context.position);
                    QCOMPARE(context.token, test.rows[window][position]);
                    const auto row = static_cast<std::size_t>(context.row);
                    QVERIFY(record.gate(row, static_cast<std::int64_t>(e)) > 0);
                }
            }
        }
    }

    void choosing_none_leaves_what_reap_needs() {
        const Measured& whole = measured("qwen3_moe-basic");
        const QTemporaryDir folder;
        const ExpertStats basic = calibrated(golden_model::folder("qwen3_moe-basic"), whole.rows,
                                             "basic", folder.path().toStdString());
        const fs::path path = folder.path().toStdString();
        QVERIFY(!fs::exists(path / "stats.vectors.safetensors"));
        QVERIFY(!fs::exists(path / "stats.contexts.json"));
        for (const auto& [index, layer] : basic.layers) {
            const LayerStats& other = whole.stats.layers.at(index);
            QCOMPARE(layer.count, other.count);
            QCOMPARE(layer.gated_norm_sum, other.gated_norm_sum);
            QVERIFY(layer.coactivation.empty() && layer.easy_ep_sum.empty());
        }
    }

    void a_twin_as_runner_up_changes_nothing() {
        // Experts 0 and 1 are the same; each is the other's runner-up.
        RouterConfig router;
        router.num_experts = 4;
        router.top_k = 2;
        const std::vector<float> logits{2, 2, 1, -1, 1, 1, 3, 0};
        const std::vector<std::int32_t> selected{0, 2, 1, 2};
        const float high = 1 / (1 + std::exp(-1.0F));
        const float higher = 1 / (1 + std::exp(-2.0F));
        const std::vector<float> weights{high, 1 - high, 1 - higher, higher};
        const RoutingView routing{.num_experts = 4,
                                  .top_k = 2,
                                  .logits = logits,
                                  .selected = selected,
                                  .weights = weights};
        StatChoice choice;
        choice.add(OptionalStat::Substitution);
        TokenOutputs outputs(router, routing, choice);
        QCOMPARE(outputs.runner_ups(), (std::vector<std::int64_t>{1, 0}));
        const std::vector<float> twin{3, 4};
        const std::vector<float> other{1, -1, 0, 5};
        const auto add = [&](std::int64_t expert, const std::vector<std::int32_t>& tokens,
                             std::span<const float> output) {
            outputs.add({.expert = expert,
                         .tokens = tokens,
                         .weights = {},
                         .input = {},
                         .activation = {},
                         .output = output});
        };
        add(0, {0}, twin);
        add(1, {0}, twin);
        add(0, {1}, twin);
        add(1, {1}, twin);
        add(2, {0, 1}, other);
        LayerStats stats = empty_layer_stats(4, 1, choice);
        const std::vector<float> residual{1, 0, 0, 2};
        const std::vector<TokenTag> tags(2);
        outputs.finish(residual, tags, stats);
        stats.tokens = 2;
        stats.count = {1, 1, 2, 0};
        const auto scores = find_criterion("sas").score(stats, {});
        // The gates come in float32: of norm 5, and squared.
        QVERIFY(scores[0] < 1e-12 && scores[1] < 1e-12);
        QVERIFY(scores[2] > 1);
    }

    void runner_up_is_of_the_best_groups() {
        RouterConfig router;
        router.num_experts = 6;
        router.top_k = 2;
        router.num_groups = 3;
        router.top_groups = 1;
        router.scoring = RouterScoring::Sigmoid;
        const std::vector<float> logits(6);
        // Group 1 is the best; nobody else of it is left, so the others follow.
        const std::vector<float> scores{0.1F, 0.2F, 0.9F, 0.8F, 0.7F, 0.3F};
        const std::vector<std::int32_t> selected{2, 3};
        const std::vector<float> weights{0.5F, 0.5F};
        RoutingView routing{.num_experts = 6,
                            .top_k = 2,
                            .logits = logits,
                            .selected = selected,
                            .weights = weights,
                            .scores = scores};
        QCOMPARE(runner_ups(router, routing).size(), 1U);
        router.top_groups = 2;
        QCOMPARE(runner_ups(router, routing).front(), 4);
        router.num_groups = 1;
        router.top_groups = 1;
        QCOMPARE(runner_ups(router, routing).front(), 4);
    }
};

QTEST_APPLESS_MAIN(TestOptionalStatistics)
#include "tst_optional_statistics.moc"
