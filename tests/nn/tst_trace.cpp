#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "base/cancel.h"
#include "base/error.h"
#include "golden_model.h"
#include "model/model_source.h"
#include "nn/trace.h"

using namespace espalier;

namespace {

/// Keeps everything that a forward pass reports, in the order in which it comes.
class Recorder : public ForwardObserver {
public:
    std::map<std::string, std::vector<float>> floats;
    std::map<std::int64_t, std::vector<std::int64_t>> selected;

    void on_activation(Activation what, std::int64_t index, std::span<const float> rows) override {
        append(name_of(what, index), rows);
    }
    void on_routing(std::int64_t layer, const RoutingView& routing) override {
        append(fmt::format("router_logits.{}", layer), routing.logits);
        append(fmt::format("router_topk_weights.{}", layer), routing.weights);
        auto& all = selected[layer];
        all.insert(all.end(), routing.selected.begin(), routing.selected.end());
    }

private:
    static std::string name_of(Activation what, std::int64_t index) {
        switch (what) {
            case Activation::HiddenStates:
                return fmt::format("hidden_states.{}", index);
            case Activation::AttentionOutput:
                return fmt::format("attn_out.{}", index);
            case Activation::FeedForwardOutput:
                return fmt::format("mlp_out.{}", index);
            case Activation::FinalNorm:
                return "final_norm";
            case Activation::Logits:
                return "logits";
        }
        return {};
    }
    void append(const std::string& name, std::span<const float> rows) {
        auto& all = floats[name];
        all.insert(all.end(), rows.begin(), rows.end());
    }
};

std::string tolerance_name(const std::string& tensor) {
    if (tensor.starts_with("router_logits")) return "router_logits";
    if (tensor.starts_with("router_topk_weights")) return "router_topk_weights";
    if (tensor == "logits") return "logits";
    return "hidden";
}

double largest_difference(std::span<const float> a, std::span<const float> b) {
    if (a.size() != b.size()) return INFINITY;
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        largest =
            std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    }
    return largest;
}

void compare_with_golden(const std::string& name, const std::filesystem::path& model) {
    const SafetensorsFile golden(golden_model::folder(name) / "golden.safetensors");
    const auto source = ModelSource::open(model);
    Recorder recorder;
    trace_model(*source, golden_model::rows_of_ids(golden), {}, recorder, {});
    for (const NamedTensor& tensor : golden.tensors()) {
        const std::string& what = tensor.name;
        if (what == "input_ids" || what == "loss") continue;
        if (what.starts_with("router_topk_indices.")) {
            const auto layer = std::stoll(what.substr(what.find('.') + 1));
            QCOMPARE(recorder.selected.at(layer), golden_model::integers(golden, what));
            continue;
        }
        const double difference =
            largest_difference(recorder.floats.at(what), golden_model::floats(golden, what));
        QVERIFY2(difference <= golden_model::tolerance(name, tolerance_name(what)),
                 qPrintable(QString("%1 differs by %2").arg(what.c_str()).arg(difference)));
    }
}

}  // namespace

class TestTrace : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void equals_the_reference_data() {
        QTest::addColumn<QString>("name");
        for (const std::string& name : golden_model::cases()) {
            QTest::addRow("%s", name.c_str()) << QString::fromStdString(name);
        }
    }

    void equals_the_reference() {
        QFETCH(QString, name);
        compare_with_golden(name.toStdString(), golden_model::folder(name.toStdString()));
    }

    void equals_the_reference_under_the_older_config_data() {
        QTest::addColumn<QString>("name");
        for (const std::string& name : golden_model::cases()) {
            // qwen3_5_moe never had another spelling.
            if (!std::filesystem::exists(golden_model::folder(name) / "config.legacy.json"))
                continue;
            QTest::addRow("%s", name.c_str()) << QString::fromStdString(name);
        }
    }

    void equals_the_reference_under_the_older_config() {
        QFETCH(QString, name);
        const QTemporaryDir folder;
        golden_model::write_legacy(name.toStdString(), folder.path().toStdString());
        compare_with_golden(name.toStdString(), folder.path().toStdString());
    }

    void rows_of_any_length_do_not_see_each_other() {
        const auto source = ModelSource::open(golden_model::folder("mixtral-basic"));
        const std::vector<std::int32_t> first{1, 5, 9, 2, 7};
        const std::vector<std::int32_t> second{3, 3, 8};
        Recorder both;
        trace_model(*source, {first, second}, {}, both, {});
        Recorder alone;
        trace_model(*source, {first}, {}, alone, {});
        trace_model(*source, {second}, {}, alone, {});
        // Products of other sizes round differently: float32 noise, as in the reference's own
        // table.
        QVERIFY(largest_difference(both.floats["logits"], alone.floats["logits"]) < 2e-5);
    }

    void scores_are_reported_where_a_bias_chooses() {
        class Scores final : public Recorder {
        public:
            std::map<std::int64_t, std::vector<float>> scores;
            void on_routing(std::int64_t layer, const RoutingView& routing) override {
                scores[layer].assign(routing.scores.begin(), routing.scores.end());
                Recorder::on_routing(layer, routing);
            }
        };
        const auto source = ModelSource::open(golden_model::folder("deepseek_v3-basic"));
        Scores recorder;
        trace_model(*source, {{1, 2, 3}}, {}, recorder, {});
        const auto experts = static_cast<std::size_t>(source->config().router.num_experts);
        for (const std::int64_t layer : source->config().moe_layers()) {
            const auto index = static_cast<std::int32_t>(layer);
            std::vector<float> bias(experts);
            source->decode({TensorRole::RouterSelectionBias, index}, bias);
            const auto& logits = recorder.floats[fmt::format("router_logits.{}", layer)];
            const auto& scores = recorder.scores[layer];
            QCOMPARE(scores.size(), 3 * experts);
            for (std::size_t i = 0; i < scores.size(); ++i) {
                const double sigmoid = 1 / (1 + std::exp(-static_cast<double>(logits[i])));
                const double expected = sigmoid + static_cast<double>(bias[i % experts]);
                QVERIFY(std::abs(static_cast<double>(scores[i]) - expected) < 1e-6);
            }
        }
        const auto plain = ModelSource::open(golden_model::folder("mixtral-basic"));
        Scores none;
        trace_model(*plain, {{1, 2, 3}}, {}, none, {});
        QVERIFY(none.scores[0].empty());
    }

    void masked_experts_are_never_chosen() {
        const auto source = ModelSource::open(golden_model::folder("qwen3_moe-basic"));
        const auto& config = source->config();
        ExpertMask mask;
        mask.removed.assign(config.layers.size(), {});
        for (const std::int64_t layer : config.moe_layers()) {
            auto& row = mask.removed[static_cast<std::size_t>(layer)];
            row.assign(static_cast<std::size_t>(config.router.num_experts), false);
            for (std::size_t e = 0; e < row.size(); e += 2) row[e] = true;
        }
        const SafetensorsFile golden(golden_model::folder("qwen3_moe-basic") /
                                     "golden.safetensors");
        Recorder recorder;
        trace_model(*source, golden_model::rows_of_ids(golden), mask, recorder, {});
        for (const auto& [layer, ids] : recorder.selected) {
            QVERIFY(std::all_of(ids.begin(), ids.end(), [](auto id) { return id % 2 == 1; }));
        }
    }

    void refuses_a_mask_that_leaves_too_few() {
        const auto source = ModelSource::open(golden_model::folder("mixtral-basic"));
        const auto& config = source->config();
        std::vector<bool> row(static_cast<std::size_t>(config.router.num_experts), true);
        row[0] = false;
        const ExpertMask mask{std::vector(config.layers.size(), row)};
        Recorder recorder;
        QVERIFY_THROWS_EXCEPTION(Error, trace_model(*source, {{1, 2}}, mask, recorder, {}));
    }

    void refuses_ids_outside_the_vocabulary() {
        const auto source = ModelSource::open(golden_model::folder("mixtral-basic"));
        const auto vocab = static_cast<std::int32_t>(source->config().vocab_size);
        Recorder recorder;
        QVERIFY_THROWS_EXCEPTION(Error, trace_model(*source, {{vocab}}, {}, recorder, {}));
        QVERIFY_THROWS_EXCEPTION(Error, trace_model(*source, {{-1}}, {}, recorder, {}));
        QVERIFY_THROWS_EXCEPTION(Error, trace_model(*source, {}, {}, recorder, {}));
    }

    void stops_when_asked() {
        const auto source = ModelSource::open(golden_model::folder("mixtral-basic"));
        std::stop_source stop;
        stop.request_stop();
        Recorder recorder;
        QVERIFY_THROWS_EXCEPTION(Cancelled,
                                 trace_model(*source, {{1, 2}}, {}, recorder, stop.get_token()));
    }
};

QTEST_APPLESS_MAIN(TestTrace)
#include "tst_trace.moc"
