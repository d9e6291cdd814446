#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <stop_token>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/json.h"
#include "base/rng.h"
#include "formats/safetensors_writer.h"
#include "model/model_tensors.h"
#include "prune/merge_experts.h"
#include "prune/pruning_fixture.h"
#include "routing/provenance.h"
#include "support/error_of.h"

using namespace espalier;
using namespace pruning;
namespace fs = std::filesystem;

namespace {

using Ids = std::vector<std::int32_t>;
constexpr std::size_t kSamples = 64;

/// Statistics with random inputs; expert e was chosen e + 1 times.
ExpertStats stats_of(const ModelSource& model) {
    ExpertStats stats;
    stats.model_hash = model.hash();
    stats.num_experts = model.config().router.num_experts;
    Rng rng = Rng(5).stream("inputs");
    for (const std::int64_t layer : model.config().moe_layers()) {
        LayerStats& one = stats.layers[layer] = empty_layer_stats(stats.num_experts, 0);
        std::iota(one.count.begin(), one.count.end(), 1);
        one.input_sample.resize(kSamples * static_cast<std::size_t>(model.config().hidden_size));
        for (double& value : one.input_sample) value = rng.normal();
    }
    return stats;
}

/// Half of the experts stay, the first two of those with all others merged in between them.
ExpertPlan half_merged(const ModelSource& model) {
    ExpertPlan plan = plan_keeping(model, model.config().router.num_experts / 2);
    plan.merge = "hc_smoe";
    for (auto& [layer, row] : plan.layers) {
        row.groups = {{row.kept[0]}, {row.kept[1]}};
        for (std::int32_t e = 0; e < model.config().router.num_experts; ++e) {
            if (std::binary_search(row.kept.begin(), row.kept.end(), e)) continue;
            row.groups[static_cast<std::size_t>(e) / 2 % 2].push_back(e);
        }
        std::erase_if(row.groups, [](const auto& group) { return group.size() < 2; });
    }
    return plan;
}

void merge(const ModelSource& model, const ExpertPlan& plan, const ExpertStats& stats,
           const fs::path& out) {
    write_pruned({.model = model,
                  .plan = plan,
                  .out = out,
                  .lineage = {{"stage", "prune"}},
                  .stats = &stats,
                  .num_threads = 2});
}

std::vector<float> decoded(const ModelSource& model, const TensorKey& key) {
    std::vector<float> values(num_elements(model.shape(key)).value());
    model.decode(key, values);
    return values;
}

Ids shuffled_channels(const ModelSource& model) {
    Ids order(static_cast<std::size_t>(model.config().moe_intermediate_size));
    std::iota(order.begin(), order.end(), 0);
    Rng(9).stream("channels").shuffle(std::span(order));
    return order;
}

/// A copy of a float32 model with an expert a matrix in which expert `copy` is expert `original`
/// with its neurons in another order.
void copy_with_twin(const ModelSource& model, std::int32_t original, std::int32_t copy,
                    const fs::path& target) {
    fs::create_directories(target);
    fs::copy_file(model.path() / "config.json", target / "config.json");
    std::vector<TensorSpec> specs;
    for (const NamedTensor& tensor : model.stored_tensors()) {
        specs.push_back({tensor.name, tensor.view.dtype, tensor.view.shape});
    }
    const Ids order = shuffled_channels(model);
    SafetensorsWriter writer(target / "model.safetensors", specs, {});
    for (const NamedTensor& tensor : model.stored_tensors()) {
        const auto key = model.role_of(tensor.name);
        if (!key || !is_expert_role(key->role) || key->expert != copy) {
            writer.write(tensor.name, tensor.view.bytes);
            continue;
        }
        const auto values = decoded(model, {key->role, key->layer, original});
        std::vector<double> sums(values.size(), 0.0);
        add_in_order(key->role, values, order, 1.0, sums);
        const std::vector<float> turned(sums.begin(), sums.end());
        writer.write(tensor.name, std::as_bytes(std::span(turned)));
    }
    writer.commit();
}

/// What an expert makes of an input.
std::vector<double> output_of(const ExpertValues& expert, std::span<const float> x) {
    std::vector<double> out(expert.hidden, 0.0);
    for (std::size_t c = 0; c < expert.width; ++c) {
        double gate = 0;
        double up = 0;
        for (std::size_t i = 0; i < expert.hidden; ++i) {
            gate +=
                static_cast<double>(expert.gate[c * expert.hidden + i]) * static_cast<double>(x[i]);
            up += static_cast<double>(expert.up[c * expert.hidden + i]) * static_cast<double>(x[i]);
        }
        const double activation = gate / (1 + std::exp(-gate)) * up;
        for (std::size_t h = 0; h < expert.hidden; ++h) {
            out[h] += static_cast<double>(expert.down[h * expert.width + c]) * activation;
        }
    }
    return out;
}

double largest_difference(const ExpertValues& a, const ExpertValues& b) {
    Rng rng = Rng(11).stream("probe");
    double largest = 0;
    for (int i = 0; i < 16; ++i) {
        std::vector<float> x(a.hidden);
        for (float& value : x) value = static_cast<float>(3 * rng.normal());
        const auto left = output_of(a, x);
        const auto right = output_of(b, x);
        for (std::size_t h = 0; h < left.size(); ++h) {
            largest = std::max(largest, std::abs(left[h] - right[h]));
        }
    }
    return largest;
}

/// The experts of group 3 <- 5 in every layer, everything else stays.
ExpertPlan twins_merged(const ModelSource& model) {
    ExpertPlan plan;
    plan.merge = "partial";
    for (const std::int64_t layer : model.config().moe_layers()) {
        for (std::int32_t e = 0; e < model.config().router.num_experts; ++e) {
            if (e != 5) plan.layers[layer].kept.push_back(e);
        }
        plan.layers[layer].groups = {{3, 5}};
    }
    return plan;
}

/// Expert 3 of layer 0 as the merger makes it.
ExpertValues merged_expert(const ModelSource& model, const MergeInput& input) {
    ExpertMerger merger(input, {});
    const auto values = [&](TensorRole role) {
        const std::size_t bytes = 4 * num_elements(model.shape({role, 0, 3})).value();
        const auto merged = merger.merged({{role, 0, 3}, DType::F32, bytes});
        std::vector<float> result(bytes / 4);
        std::memcpy(result.data(), merged.data(), bytes);
        return result;
    };
    ExpertValues expert = read_expert(model, 0, 3);
    expert.gate = values(TensorRole::ExpertGate);
    expert.up = values(TensorRole::ExpertUp);
    expert.down = values(TensorRole::ExpertDown);
    return expert;
}

const std::string kModel = "models/qwen3_moe-basic";  // 12 experts, 3 layers, float32

}  // namespace

class TestMergeExperts : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void twins_become_one_of_the_same_function() {
        const Folder folder;
        copy_with_twin(*ModelSource::open(golden(kModel)), 3, 5, folder.path("twins"));
        const auto model = ModelSource::open(folder.path("twins"));
        const ExpertStats stats = stats_of(*model);
        const ExpertPlan plan = twins_merged(*model);
        const ExpertValues original = read_expert(*model, 0, 3);
        QVERIFY(largest_difference(original, read_expert(*model, 0, 5)) < 1e-5);
        MergeInput input{.model = *model, .plan = plan, .stats = stats};
        QVERIFY(largest_difference(original, merged_expert(*model, input)) < 1e-5);
        input.aligns_neurons = false;
        QVERIFY(largest_difference(original, merged_expert(*model, input)) > 1e-2);

        merge(*model, plan, stats, folder.path("out"));
        const auto merged = ModelSource::open(folder.path("out"));
        for (const std::int64_t layer : model->config().moe_layers()) {
            QVERIFY(largest_difference(read_expert(*model, layer, 3),
                                       read_expert(*merged, layer, 3)) < 1e-5);
            QVERIFY(read_expert(*model, layer, 6).gate == read_expert(*merged, layer, 5).gate);
        }
    }

    /// The permutation is found by either kind of feature alone.
    void twins_align_by_weights_or_by_activations() {
        const Folder folder;
        const auto source = ModelSource::open(golden(kModel));
        copy_with_twin(*source, 3, 5, folder.path("twins"));
        const auto model = ModelSource::open(folder.path("twins"));
        ThreadPool pool(1);
        const WeightProjection projection(static_cast<std::size_t>(model->config().hidden_size));
        const auto sample = stats_of(*model).layers.at(0).input_sample;
        const std::vector<float> inputs(sample.begin(), sample.end());
        Ids expected(static_cast<std::size_t>(model->config().moe_intermediate_size));
        const Ids order = shuffled_channels(*model);
        for (std::size_t c = 0; c < order.size(); ++c) {
            expected[static_cast<std::size_t>(order[c])] = static_cast<std::int32_t>(c);
        }
        for (const bool by_weights : {true, false}) {
            const auto features = [&](std::int32_t expert) {
                auto result = neuron_features(read_expert(*model, 0, expert),
                                              model->config().experts, inputs, projection, pool);
                (by_weights ? result.activations : result.weights).clear();
                return result;
            };
            QCOMPARE(align_neurons(features(3), features(5), pool), expected);
        }
    }

    void every_layout_is_written_in_its_place_data() {
        QTest::addColumn<QString>("model");
        const Json cases = read_json_file(golden("models/cases.json"));
        for (const auto& item : cases.items()) {
            if (item.key() == "gpt_oss-mxfp4") continue;
            QTest::addRow("%s", item.key().c_str())
                << QString("models/%1").arg(QString::fromStdString(item.key()));
        }
        QTest::addRow("gguf, f32") << QString("gguf/models/qwen3moe/qwen3moe.f32.gguf");
    }

    void every_layout_is_written_in_its_place() {
        QFETCH(QString, model);
        const Folder folder;
        const auto original = ModelSource::open(golden(model.toStdString()));
        const MoeConfig& config = original->config();
        ExpertPlan plan = half_merged(*original);
        if (config.router.num_groups > 1) {
            for (auto& [layer, row] : plan.layers) row = {{}, {}, {}, {}};
            for (auto& [layer, row] : plan.layers) {
                for (std::int32_t e = 0; e < config.router.num_experts; e += 2) {
                    row.kept.push_back(e);
                    row.groups.push_back({e, e + 1});
                }
            }
        }
        const ExpertStats stats = stats_of(*original);
        const auto out = folder.path(original->gguf_file() != nullptr ? "out.gguf" : "out");
        merge(*original, plan, stats, out);
        const auto merged = ModelSource::open(out);
        ThreadPool pool(1);
        const WeightProjection projection(static_cast<std::size_t>(config.hidden_size));
        for (const ModelTensor& tensor : model_tensors(merged->config())) {
            if (!is_expert_role(tensor.key.role)) continue;
            TensorKey key = tensor.key;
            const LayerPlan& row = plan.layers.at(key.layer);
            key.expert = row.kept[static_cast<std::size_t>(key.expert)];
            Ids group{key.expert};
            for (const Ids& one : row.groups) {
                if (one.front() == key.expert) group = one;
            }
            const auto expected = mean_of(*original, key, group, stats, projection, pool);
            const auto found = decoded(*merged, tensor.key);
            double error = 0;
            for (std::size_t i = 0; i < found.size(); ++i) {
                error = std::max(error, std::abs(static_cast<double>(found[i]) - expected[i]));
            }
            QVERIFY2(error <= 0.004 * 0.5, qPrintable(QString::number(error)));  // bfloat16
        }
    }

    void groups_of_one_are_a_pruning_byte_for_byte() {
        const Folder folder;
        const auto model = ModelSource::open(golden(kModel));
        const ExpertPlan plan = plan_keeping(*model, 6);
        ExpertPlan alone = plan;
        alone.merge = "ream";
        for (auto& [layer, row] : alone.layers) {
            for (const std::int32_t expert : row.kept) row.groups.push_back({expert});
        }
        QVERIFY(!alone.merges());
        prune(*model, plan, folder.path("pruned"));
        prune(*model, alone, folder.path("merged"));  // needs no statistics either
        QVERIFY(tensor_bytes(*ModelSource::open(folder.path("pruned"))) ==
                tensor_bytes(*ModelSource::open(folder.path("merged"))));
        QVERIFY(read_json_file(folder.path("pruned") / "espalier.json") ==
                read_json_file(folder.path("merged") / "espalier.json"));
    }

    void threads_change_no_bytes() {
        const Folder folder;
        const auto model = ModelSource::open(golden(kModel));
        const ExpertPlan plan = half_merged(*model);
        const ExpertStats stats = stats_of(*model);
        for (const std::size_t threads : {std::size_t{1}, std::size_t{3}}) {
            write_pruned({.model = *model,
                          .plan = plan,
                          .out = folder.path(std::to_string(threads)),
                          .lineage = nullptr,
                          .stats = &stats,
                          .num_threads = threads});
        }
        QVERIFY(tensor_bytes(*ModelSource::open(folder.path("1"))) ==
                tensor_bytes(*ModelSource::open(folder.path("3"))));
    }

    void the_expert_map_names_all_that_went_in() {
        const Folder folder;
        const auto model = ModelSource::open(golden(kModel));
        merge(*model, twins_merged(*model), stats_of(*model), folder.path("once"));
        const Json row = read_json_file(folder.path("once") / "espalier.json").at("expert_map")[1];
        QVERIFY(row == Json::parse("[0,1,2,[3,5],4,6,7,8,9,10,11]"));
        const auto once = ModelSource::open(folder.path("once"));
        QCOMPARE(provenance_of(*once).merged.at(1).at(3), Ids({5}));

        // Merged again, 6 takes in what 3 has become.
        ExpertPlan plan;
        plan.merge = "partial";
        for (const std::int64_t layer : once->config().moe_layers()) {
            plan.layers[layer].kept = {0, 1, 2, 5, 6};
            plan.layers[layer].groups = {{5, 3}};
        }
        merge(*once, plan, stats_of(*once), folder.path("twice"));
        const auto twice = ModelSource::open(folder.path("twice"));
        QCOMPARE(provenance_of(*twice).expert_map[1], Ids({0, 1, 2, 6, 7}));
        QCOMPARE(provenance_of(*twice).merged.at(1).at(3), Ids({3, 5}));
        QCOMPARE(provenance_of(*twice).lineage.size(), std::size_t{2});

        // Cut afterwards, what stays keeps its list, under its new number.
        prune(*twice, plan_keeping(*twice, 3), folder.path("cut"));
        const auto cut = provenance_of(*ModelSource::open(folder.path("cut")));
        QVERIFY(!cut.merged.empty());
        for (const auto& [layer, experts] : cut.merged) {
            for (const auto& [expert, others] : experts) {
                const auto& ids = cut.expert_map[static_cast<std::size_t>(layer)];
                QCOMPARE(ids[static_cast<std::size_t>(expert)], 6);
                QCOMPARE(others, Ids({3, 5}));
            }
        }
    }

    void a_mask_cannot_merge() {
        const auto model = ModelSource::open(golden(kModel));
        const auto error = test::error_of([&] { half_merged(*model).mask(model->config()); });
        QVERIFY(error && error->code() == ErrorCode::RunRecipe);
        QVERIFY(QString(error->what()).contains("mask"));
    }

    void what_cannot_be_merged_is_refused() {
        const Folder folder;
        const auto model = ModelSource::open(golden(kModel));
        const auto without =
            test::error_of([&] { prune(*model, half_merged(*model), folder.path("out")); });
        QVERIFY(without && without->code() == ErrorCode::RunRecipe);
        ExpertStats bare = stats_of(*model);
        bare.layers.at(2).input_sample.clear();
        const auto lacking =
            test::error_of([&] { merge(*model, half_merged(*model), bare, folder.path("out")); });
        QVERIFY(lacking && QString::fromStdString(lacking->hint()).contains("profiles"));
        for (const char* name : {"models/gpt_oss-mxfp4", "gguf/models/qwen3moe/qwen3moe.q8_0.gguf",
                                 "gguf/models/gpt_oss/gpt_oss.mxfp4.gguf"}) {
            const auto quantised = ModelSource::open(golden(name));
            const auto error = test::error_of([&] {
                merge(*quantised, half_merged(*quantised), stats_of(*quantised),
                      folder.path("out"));
            });
            QVERIFY(error && error->code() == ErrorCode::FileUnsupported);
        }
        QVERIFY(folder.names().empty());
    }

    void stopping_leaves_nothing() {
        const Folder folder;
        const auto model = ModelSource::open(golden(kModel));
        const ExpertPlan plan = half_merged(*model);
        const ExpertStats stats = stats_of(*model);
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_EXCEPTION_THROWN(write_pruned({.model = *model,
                                               .plan = plan,
                                               .out = folder.path("out"),
                                               .lineage = nullptr,
                                               .stop = stop.get_token(),
                                               .stats = &stats}),
                                 Cancelled);
        QVERIFY(folder.names().empty());
    }

private:
    /// The mean of a tensor over a group in order of the first one's channels, weighed by count.
    static std::vector<double> mean_of(const ModelSource& model, TensorKey key, const Ids& group,
                                       const ExpertStats& stats, const WeightProjection& projection,
                                       ThreadPool& pool) {
        const LayerStats& layer = stats.layers.at(key.layer);
        const std::vector<float> inputs(layer.input_sample.begin(), layer.input_sample.end());
        const auto features = [&](std::int32_t expert) {
            return neuron_features(read_expert(model, key.layer, expert), model.config().experts,
                                   inputs, projection, pool);
        };
        double total = 0;
        for (const std::int32_t e : group) total += static_cast<double>(e + 1);
        std::vector<double> sums;
        for (const std::int32_t e : group) {
            key.expert = e;
            const auto values = decoded(model, key);
            sums.resize(values.size());
            Ids order;
            if (e != group.front()) {
                order = align_neurons(features(group.front()), features(e), pool);
            }
            add_in_order(key.role, values, order, static_cast<double>(e + 1) / total, sums);
        }
        return sums;
    }
};

QTEST_APPLESS_MAIN(TestMergeExperts)
#include "tst_merge_experts.moc"
