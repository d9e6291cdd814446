#include <QTemporaryDir>
#include <QTest>
#include <cmath>
#include <filesystem>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/rng.h"
#include "eval/compare.h"
#include "eval/record_routing.h"
#include "prune/write_pruned.h"

using namespace espalier;
namespace fs = std::filesystem;

namespace {

const fs::path kModels = fs::path(ESPALIER_TEST_DATA) / "models";

std::vector<std::vector<std::int32_t>> two_windows() {
    Rng rng(3);
    std::vector<std::vector<std::int32_t>> windows(2, std::vector<std::int32_t>(32));
    for (auto& window : windows) {
        for (auto& id : window) id = static_cast<std::int32_t>(rng.below(128));
    }
    return windows;
}

}  // namespace

class TestRecordRouting : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void traces_survive_their_file() {
        QFETCH(QString, model);
        const RoutingTrace trace = record(kModels / model.toStdString());
        save_routing_trace(trace, path("trace.safetensors"));
        const RoutingTrace loaded = load_routing_trace(path("trace.safetensors"));
        QVERIFY(loaded == trace);
        QCOMPARE(compare_traces(loaded, trace), compare_traces(trace, trace));
        for (const LayerFidelity& layer : compare_traces(loaded, trace)) {
            QCOMPARE(layer.exact, 1.0);
            QVERIFY(std::abs(layer.restricted_kl) < 1e-6);
        }
    }

    void traces_survive_their_file_data() {
        QTest::addColumn<QString>("model");
        QTest::addRow("softmax") << "qwen3_moe-basic";
        QTest::addRow("sigmoid, biased, in groups") << "deepseek_v3-basic";
    }

    // A cut model is written with ids of the original, and judged as the live comparison judges it.
    void a_stored_base_judges_as_the_running_one() {
        const auto source = ModelSource::open(kModels / "qwen3_moe-basic");
        ExpertPlan plan;
        for (const std::int64_t layer : source->config().moe_layers()) {
            plan.layers[layer].kept = {0, 1, 3, 5, 6, 7, 9, 10};
        }
        write_pruned({*source, plan, path("cut"), {{"stage", "prune"}}});
        const RoutingTrace cut = record(path("cut"));
        QCOMPARE(cut.layers.begin()->second.expert_ids, plan.layers.begin()->second.kept);
        save_routing_trace(record(kModels / "qwen3_moe-basic"), path("base.safetensors"));
        const RoutingTrace base = load_routing_trace(path("base.safetensors"));
        const auto stored = compare_traces(base, cut);

        ThreadPool pool(1);
        NativeModel whole(*source, pool);
        const auto pruned = ModelSource::open(path("cut"));
        NativeModel model(*pruned, pool);
        std::vector<std::vector<std::int32_t>> map(source->config().layers.size());
        for (const auto& [layer, kept] : plan.layers) {
            map[static_cast<std::size_t>(layer)] = kept.kept;
        }
        std::vector<std::int32_t> ids;
        for (const auto& window : two_windows())
            ids.insert(ids.end(), window.begin(), window.end());
        // The last token of a window predicts nothing, so that it is not compared.
        const auto live = compare_models({.reference = whole,
                                          .model = model,
                                          .expert_map = map,
                                          .ids = ids,
                                          .options = {.context = 32, .first_scored = 0}})
                              .routing;
        QCOMPARE(stored.size(), live.size());
        for (std::size_t i = 0; i < live.size(); ++i) {
            QCOMPARE(stored[i].tokens, std::int64_t{64});
            QCOMPARE(live[i].tokens, std::int64_t{62});
            QVERIFY(std::abs(stored[i].recall - live[i].recall) < 0.05);
            QVERIFY(std::abs(stored[i].displaced - live[i].displaced) < 0.05);
            QVERIFY(std::abs(stored[i].restricted_kl - live[i].restricted_kl) <
                    1e-6 + 0.1 * live[i].restricted_kl);
        }
        QCOMPARE(stored.front().recall, 1.0);
    }

    void ids_are_sorted_by_gate_and_only_a_part_has_logits() {
        const auto source = ModelSource::open(kModels / "qwen3_moe-basic");
        ThreadPool pool(1);
        NativeModel model(*source, pool);
        const auto windows = two_windows();
        const RoutingTrace trace =
            record_routing({.model = model, .windows = windows, .logit_tokens = 10});
        const auto& layer = trace.layers.begin()->second;
        QCOMPARE(layer.logits.size(), 10 * layer.expert_ids.size());
        QCOMPARE(layer.margin.size(), std::size_t{64});
        const auto top_k = static_cast<std::size_t>(source->config().router.top_k);
        for (std::size_t t = 0; t < 64; ++t) {
            for (std::size_t j = 1; j < top_k; ++j) {
                // Positive f16 have the order of their bits.
                QVERIFY(layer.gate_w[t * top_k + j - 1] >= layer.gate_w[t * top_k + j]);
            }
        }
        QCOMPARE(trace.origin.at("documents").at(1).at("begin").get<int>(), 32);
        QCOMPARE(compare_traces(trace, trace).front().tokens, std::int64_t{10});
    }

    void other_tokens_and_broken_files_are_refused() {
        RoutingTrace trace = record(kModels / "qwen3_moe-basic");
        RoutingTrace other = trace;
        other.token_id[3] += 1;
        QVERIFY_THROWS_EXCEPTION(Error, compare_traces(trace, other));
        trace.layers.begin()->second.topk_id[0] = 999;
        save_routing_trace(trace, path("broken.safetensors"));
        QVERIFY_THROWS_EXCEPTION(Error, load_routing_trace(path("broken.safetensors")));
    }

private:
    QTemporaryDir folder_;
    fs::path path(const char* name) const { return fs::path(folder_.path().toStdString()) / name; }

    RoutingTrace record(const fs::path& folder) const {
        const auto source = ModelSource::open(folder);
        ThreadPool pool(1);
        NativeModel model(*source, pool);
        const auto windows = two_windows();
        return record_routing({.model = model, .windows = windows});
    }
};

QTEST_APPLESS_MAIN(TestRecordRouting)
#include "tst_record_routing.moc"
