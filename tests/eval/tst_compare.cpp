#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/rng.h"
#include "eval/compare.h"
#include "eval/expert_alignment.h"
#include "formats/safetensors_reader.h"
#include "formats/safetensors_writer.h"

using namespace espalier;
namespace fs = std::filesystem;

namespace {

const fs::path kModel = fs::path(ESPALIER_TEST_DATA) / "models" / "qwen3_moe-basic";
constexpr std::int32_t kExperts = 12;
/// Where each expert of the permuted copy comes from.
const std::vector<std::int32_t> kOrder{5, 0, 7, 2, 11, 4, 1, 10, 3, 8, 9, 6};

std::vector<std::int32_t> random_ids(std::size_t count) {
    Rng rng(5);
    std::vector<std::int32_t> ids(count);
    for (auto& id : ids) id = static_cast<std::int32_t>(rng.below(128));
    return ids;
}

PerplexityOptions short_windows() {
    PerplexityOptions options;
    options.context = 32;
    return options;
}

/// The model with its experts in another order: router rows and expert weights together.
void write_permuted(const fs::path& target) {
    fs::create_directories(target);
    fs::copy_file(kModel / "config.json", target / "config.json");
    const SafetensorsFile file(kModel / "model.safetensors");
    std::vector<TensorSpec> specs;
    for (const auto& tensor : file.tensors()) {
        specs.push_back({tensor.name, tensor.view.dtype, tensor.view.shape});
    }
    SafetensorsWriter writer(target / "model.safetensors", specs);
    for (const auto& tensor : file.tensors()) {
        if (tensor.name.ends_with("mlp.gate.weight")) {
            const std::size_t row = tensor.view.bytes.size() / kOrder.size();
            for (const auto from : kOrder) {
                writer.write(tensor.name,
                             tensor.view.bytes.subspan(static_cast<std::size_t>(from) * row, row));
            }
            continue;
        }
        const std::size_t at = tensor.name.find("experts.");
        const TensorView* view = &tensor.view;
        if (at != std::string::npos) {
            const std::size_t end = tensor.name.find('.', at + 8);
            const auto to =
                static_cast<std::size_t>(std::stoi(tensor.name.substr(at + 8, end - at - 8)));
            std::string from = tensor.name;
            from.replace(at + 8, end - at - 8, std::to_string(kOrder[to]));
            view = file.find(from);
        }
        writer.write(tensor.name, view->bytes);
    }
    writer.commit();
}

/// Keeps all but experts 3 and 8 of every layer.
ExpertMask without_three_and_eight(const MoeConfig& config) {
    ExpertMask mask;
    mask.removed.assign(config.layers.size(), std::vector<bool>(kExperts, false));
    for (auto& row : mask.removed) row[3] = row[8] = true;
    return mask;
}

}  // namespace

class TestCompare : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void model_equals_itself() {
        const auto source = ModelSource::open(kModel);
        ThreadPool pool(1);
        NativeModel a(*source, pool);
        NativeModel b(*source, pool);
        const auto ids = random_ids(200);
        const Comparison same = compare_models({a, b, {}, ids, short_windows()});
        QCOMPARE(same.tokens, std::int64_t{6 * 15});
        QCOMPARE(same.kl_mean, 0.0);
        QCOMPARE(same.kl_p999, 0.0);
        QCOMPARE(same.top1, 1.0);
        QCOMPARE(same.model_perplexity, same.reference_perplexity);
        QCOMPARE(same.model_perplexity, perplexity(a, ids, short_windows()).perplexity);
        QCOMPARE(same.routing.size(), std::size_t{3});
        for (const LayerFidelity& layer : same.routing) {
            QCOMPARE(layer.tokens, same.tokens);
            QCOMPARE(layer.recall, 1.0);
            QCOMPARE(layer.jaccard, 1.0);
            QVERIFY(std::abs(layer.restricted_kl) < 1e-6);
            QCOMPARE(layer.load_tv, 0.0);
            QCOMPARE(layer.untouched, 1.0);
        }
    }

    void permuted_experts_with_their_map_equal_the_original() {
        const QTemporaryDir folder;
        const fs::path path = fs::path(folder.path().toStdString()) / "permuted";
        write_permuted(path);
        const auto source = ModelSource::open(kModel);
        const auto permuted = ModelSource::open(path);
        ThreadPool pool(1);
        NativeModel a(*source, pool);
        NativeModel b(*permuted, pool);
        const auto ids = random_ids(100);
        const std::vector<std::vector<std::int32_t>> map(3, kOrder);
        const Comparison same = compare_models({a, b, map, ids, short_windows()});
        QVERIFY(same.kl_mean < 1e-6);
        const Comparison blind = compare_models({a, b, {}, ids, short_windows()});
        for (std::size_t l = 0; l < 3; ++l) {
            QCOMPARE(same.routing[l].recall, 1.0);
            QVERIFY(std::abs(same.routing[l].restricted_kl) < 1e-6);
            QVERIFY(same.routing[l].load_tv < 1e-12);
            QVERIFY(blind.routing[l].recall < 0.7);  // without the map nothing fits
        }
    }

    void masked_model_is_compared_with_the_restricted_base() {
        const auto source = ModelSource::open(kModel);
        ThreadPool pool(1);
        NativeModel a(*source, pool);
        NativeModel b(*source, pool);
        const ExpertMask mask = without_three_and_eight(source->config());
        b.set_mask(mask);
        const auto ids = random_ids(200);
        const Comparison by_mask = compare_models({a, b, {}, ids, short_windows(), mask});
        QVERIFY(by_mask.kl_mean > 1e-3);
        QVERIFY(by_mask.top1 < 1.0);
        // The first layer sees the same input in both: what is left of the router is exactly the
        // base's.
        const LayerFidelity& first = by_mask.routing.front();
        QCOMPARE(first.recall, 1.0);
        QVERIFY(std::abs(first.restricted_kl) < 1e-6);
        QVERIFY(first.displaced > 0 && first.displaced < 0.5);
        QVERIFY(first.untouched > 0 && first.untouched < 1);
        QVERIFY(by_mask.routing.back().restricted_kl > 1e-4);
        // The ids that a mask left say the same as the mask.
        const std::vector<std::vector<std::int32_t>> left(3, {0, 1, 2, 4, 5, 6, 7, 9, 10, 11});
        const Comparison by_list = compare_models({a, b, left, ids, short_windows()});
        QVERIFY(by_list.routing == by_mask.routing);
    }

    void a_selection_bias_and_groups_restrict_the_base() {
        const auto source =
            ModelSource::open(fs::path(ESPALIER_TEST_DATA) / "models" / "deepseek_v3-basic");
        const MoeConfig& config = source->config();
        QVERIFY(config.router.has_selection_bias && config.router.num_groups == 4);
        ExpertMask mask;
        mask.removed.resize(config.layers.size());
        for (const std::int64_t layer : config.moe_layers()) {  // one of each group of four
            auto& row = mask.removed[static_cast<std::size_t>(layer)];
            row.assign(static_cast<std::size_t>(config.router.num_experts), false);
            row[3] = row[5] = row[8] = row[14] = true;
        }
        ThreadPool pool(1);
        NativeModel a(*source, pool);
        NativeModel b(*source, pool);
        b.set_mask(mask);
        const auto ids = random_ids(200);
        const Comparison result = compare_models({a, b, {}, ids, short_windows(), mask});
        // What is before the first routed layer is the same in both.
        const LayerFidelity& first = result.routing.front();
        QCOMPARE(first.recall, 1.0);
        QCOMPARE(first.exact, 1.0);
        QVERIFY(std::abs(first.weighted_jaccard - 1.0) < 1e-5);
        QVERIFY(first.displaced > 0 && first.displaced < 1);
        QVERIFY(result.routing.back().exact < 1);
    }

    void local_figures_see_only_the_layer_that_changed() {
        const auto source = ModelSource::open(kModel);
        ThreadPool pool(1);
        NativeModel a(*source, pool);
        NativeModel b(*source, pool);
        // The last routed layer alone lacks experts.
        ExpertMask mask = without_three_and_eight(source->config());
        const auto layers = source->config().moe_layers();
        for (const std::int64_t layer : layers) {
            if (layer != layers.front()) mask.removed[static_cast<std::size_t>(layer)].clear();
        }
        b.set_mask(mask);
        const auto ids = random_ids(200);
        const Comparison result = compare_models({a, b, {}, ids, short_windows(), mask});
        for (const LayerFidelity& layer : result.routing) {
            QVERIFY(layer.has_outputs);
            // A router that was not touched chooses the same from the same input.
            QCOMPARE(layer.local_recall, 1.0);
            QCOMPARE(layer.local_exact, 1.0);
            QVERIFY(layer.local_kl < 1e-9);
            const bool is_cut = layer.layer == layers.front();
            QCOMPARE(layer.lost_output > 0, is_cut);
            QCOMPARE(layer.local_output_error > 1e-9, is_cut);
            // What is cut first shows in all that follow.
            QVERIFY(layer.output_error > 1e-9);
        }
        QVERIFY(result.flip_any > 0);
    }

    void memory_and_streaming_change_nothing() {
        const auto source = ModelSource::open(kModel);
        ThreadPool pool(1);
        NativeModel a(*source, pool);
        NativeModel b(*source, pool);
        const ExpertMask mask = without_three_and_eight(source->config());
        b.set_mask(mask);
        const auto ids = random_ids(200);
        const Comparison whole = compare_models({a, b, {}, ids, short_windows(), mask});
        const Comparison streamed = compare_models({.reference = a,
                                                    .model = b,
                                                    .expert_map = {},
                                                    .ids = ids,
                                                    .options = short_windows(),
                                                    .mask = mask,
                                                    .memory_bytes = 1,
                                                    .streams_layers = true});
        QCOMPARE(streamed.kl_mean, whole.kl_mean);
        QCOMPARE(streamed.routing.size(), whole.routing.size());
        for (std::size_t i = 0; i < whole.routing.size(); ++i) {
            QCOMPARE(streamed.routing[i], whole.routing[i]);
        }
    }

    void sums_of_parts_equal_the_whole() {
        const auto source = ModelSource::open(kModel);
        ThreadPool pool(1);
        NativeModel a(*source, pool);
        NativeModel b(*source, pool);
        const ExpertMask mask = without_three_and_eight(source->config());
        b.set_mask(mask);
        const auto ids = random_ids(128);
        const std::span<const std::int32_t> all(ids);
        ComparisonSums parts = compare_sums({a, b, {}, all.first(64), short_windows(), mask});
        parts.merge(compare_sums({a, b, {}, all.last(64), short_windows(), mask}));
        const Comparison merged = parts.result();
        const Comparison whole = compare_models({a, b, {}, all, short_windows(), mask});
        QCOMPARE(merged.tokens, whole.tokens);
        QVERIFY(std::abs(merged.kl_mean - whole.kl_mean) < 1e-12);
        QCOMPARE(merged.kl_p999, whole.kl_p999);
        QVERIFY(std::abs(merged.routing[1].restricted_kl - whole.routing[1].restricted_kl) < 1e-12);
    }

    void alignment_follows_the_map() {
        MoeConfig reference;
        reference.layers.resize(1);
        reference.router.num_experts = 6;
        reference.vocab_size = 8;
        MoeConfig model = reference;
        model.router.num_experts = 3;
        const auto layers = align_experts(reference, model, {{5, 0, 2}}, {});
        QCOMPARE(layers.front().reference_ids, (std::vector<std::int32_t>{0, 2, 5}));
        QCOMPARE(layers.front().model_ids, (std::vector<std::int32_t>{1, 2, 0}));
        QCOMPARE(layers.front().position_of_model, (std::vector<std::int32_t>{2, 0, 1}));
        // Nothing says which of six the three are: predictions compare, routing does not.
        QVERIFY(align_experts(reference, model, {}, {}).empty());
        QVERIFY_THROWS_EXCEPTION(Error, align_experts(reference, model, {{0, 1, 6}}, {}));
        QVERIFY_THROWS_EXCEPTION(Error, align_experts(reference, model, {{0, 1, 1}}, {}));
        model.vocab_size = 9;
        QVERIFY_THROWS_EXCEPTION(Error, align_experts(reference, model, {{0, 1, 2}}, {}));
    }

    void merged_experts_follow_their_survivor() {
        MoeConfig reference;
        reference.layers.resize(1);
        reference.router.num_experts = 6;
        reference.vocab_size = 8;
        MoeConfig model = reference;
        model.router.num_experts = 3;
        auto layers = align_experts(reference, model, {{5, 0, 2}}, {});
        // Model expert 0 (original 5) holds 1 and 4; the reference, itself cut, lacks original 4.
        const std::vector<std::vector<std::int32_t>> reference_map{{0, 1, 2, 3, 6, 5}};
        add_merged({{0, {{0, {1, 4}}, {2, {3}}}}}, reference_map, layers);
        const std::vector<std::pair<std::int32_t, std::int32_t>> expected{{1, 2}, {3, 1}};
        QCOMPARE(layers.front().merged, expected);
    }

    void maps_of_two_cuts_are_joined() {
        const std::vector<std::vector<std::int32_t>> once{{1, 3, 5, 7}, {}};
        const std::vector<std::vector<std::int32_t>> twice{{3, 7}, {}};
        const std::vector<std::vector<std::int32_t>> expected{{1, 3}, {}};
        QCOMPARE(map_between(twice, once), expected);
        QVERIFY_THROWS_EXCEPTION(Error, map_between({{2}, {}}, once));
    }
};

QTEST_APPLESS_MAIN(TestCompare)
#include "tst_compare.moc"
