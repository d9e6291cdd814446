#include <QTest>
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "infer/golden_models.h"
#include "infer/naive_model.h"
#include "infer/native_model.h"
#include "model/config_from_hub.h"
#include "model/config_native.h"
#include "model/model_report.h"
#include "model/parameter_counts.h"
#include "model/stored_layout.h"
#include "prune/native_plans.h"
#include "routing/provenance.h"
#include "support/error_of.h"

using namespace espalier;
using namespace pruning;
using espalier::test::error_of;
namespace fs = std::filesystem;

namespace {

std::vector<float> logits_of(const ModelSource& source, const ExpertMask& mask,
                             std::span<const std::int32_t> ids) {
    ThreadPool pool(1);
    NativeModel model(source, pool);
    model.set_mask(mask);
    KvCache cache(model.config());
    const auto logits = model.forward(ids, cache, LogitsFor::AllTokens);
    return {logits.begin(), logits.end()};
}

std::vector<std::int32_t> some_ids(const ModelSource& model) {
    std::vector<std::int32_t> ids;
    for (std::int64_t i = 0; i < 24; ++i) {
        ids.push_back(static_cast<std::int32_t>((i * 37 + 5) % model.config().vocab_size));
    }
    return ids;
}

float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
    if (a.size() != b.size()) return INFINITY;
    float largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
    return largest;
}

void add_golden_models() {
    QTest::addColumn<QString>("name");
    const Json cases = read_json_file(golden("models/cases.json"));
    for (const auto& item : cases.items()) {
        QTest::addRow("%s", item.key().c_str())
            << QString("models/%1").arg(QString::fromStdString(item.key()));
    }
}

std::string message_of(const ExpertPlan& plan, const MoeConfig& config) {
    const Error error = *error_of([&] { require_writable(plan, config); });
    return std::string(error.what()) + " " + error.hint();
}

}  // namespace

class TestNativeFolder : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void layers_of_different_numbers_equal_the_masked_model_data() { add_golden_models(); }
    void layers_of_different_numbers_equal_the_masked_model() {
        QFETCH(QString, name);
        const Folder folder;
        const auto model = ModelSource::open(golden(name.toStdString()));
        const MoeConfig& config = model->config();
        const ExpertPlan plan = uneven_plan(config);
        const PruneReport report = prune_native(*model, plan, folder.path("out"));
        const auto native = ModelSource::open(folder.path("out"));
        QCOMPARE(report.is_native, needs_native(plan, config));
        QCOMPARE(native->config().is_native(), report.is_native);
        QCOMPARE(native->config().family, config.family);
        for (const std::int64_t layer : config.moe_layers()) {
            QCOMPARE(native->config().num_experts_of(layer),
                     static_cast<std::int64_t>(plan.layers.at(layer).kept.size()));
            QCOMPARE(provenance_of(*native).expert_map.at(static_cast<std::size_t>(layer)),
                     plan.layers.at(layer).kept);
        }
        const auto ids = some_ids(*model);
        const auto masked = logits_of(*model, plan.mask(config), ids);
        QVERIFY(largest_difference(masked, logits_of(*model, {}, ids)) > 1e-3F);
        QVERIFY(largest_difference(masked, logits_of(*native, {}, ids)) <= 1e-4F);
    }

    void constants_equal_the_formula_data() { add_golden_models(); }
    void constants_equal_the_formula() {
        QFETCH(QString, name);
        const Folder folder;
        const auto model = ModelSource::open(golden(name.toStdString()));
        const MoeConfig& config = model->config();
        const ExpertPlan plan = replacing_plan(config);
        const ExpertConstants constants = some_constants(plan, config);
        const PruneReport report = prune_native(*model, plan, folder.path("out"), &constants);
        QVERIFY(report.is_native && report.constants > 0);
        QVERIFY(report.bytes_after < report.bytes_before);
        const auto native = ModelSource::open(folder.path("out"));
        QCOMPARE(native->config().router.num_experts, config.router.num_experts);

        NaiveModel reference(*model);  // of the whole model: it knows nothing of native folders
        for (const auto& [layer, experts] : constants) {
            for (const auto& [expert, values] : experts) {
                reference.replaced[{static_cast<std::int32_t>(layer), expert}] = {values.begin(),
                                                                                  values.end()};
            }
        }
        auto ids = some_ids(*model);
        ids.resize(8);
        const auto expected = reference.forward(ids);
        const auto found = logits_of(*native, {}, ids);
        const std::size_t vocab = expected.front().size();
        double largest = 0;
        for (std::size_t i = 0; i < found.size(); ++i) {
            largest = std::max(
                largest, std::abs(static_cast<double>(found[i]) - expected[i / vocab][i % vocab]));
        }
        // As the whole models differ from the formulas: float32 against double.
        QVERIFY2(largest <= 2e-4, qPrintable(QString::number(largest)));
        QVERIFY(largest_difference(found, logits_of(*model, {}, ids)) > 1e-3F);
    }

    void a_token_may_meet_constants_alone() {
        const Folder folder;
        const auto model = ModelSource::open(golden("models/mixtral-basic"));
        const MoeConfig& config = model->config();
        ExpertPlan plan;
        plan.criterion = "mone";
        for (const std::int64_t layer : config.moe_layers()) {
            for (std::int32_t e = 0; e < config.router.top_k; ++e) {
                plan.layers[layer].kept.push_back(e);
            }
        }
        const ExpertConstants constants = some_constants(plan, config);
        prune_native(*model, plan, folder.path("out"), &constants);
        const auto native = ModelSource::open(folder.path("out"));
        const auto ids = some_ids(*model);
        const auto together = logits_of(*native, {}, ids);
        std::vector<float> one_by_one;
        ThreadPool pool(1);
        NativeModel engine(*native, pool);
        KvCache cache(engine.config());
        for (const std::int32_t id : ids) {
            const auto row = engine.forward(std::span(&id, 1), cache, LogitsFor::AllTokens);
            one_by_one.insert(one_by_one.end(), row.begin(), row.end());
        }
        QVERIFY(largest_difference(together, one_by_one) <= 1e-4F);
    }

    void mean_outputs_are_sums_over_counts() {
        const auto model = ModelSource::open(golden("models/mixtral-basic"));
        MoeConfig config = model->config();
        config.hidden_size = 2;
        ExpertStats stats;
        ExpertPlan plan;
        const std::size_t experts = static_cast<std::size_t>(config.router.num_experts);
        for (const std::int64_t layer : config.moe_layers()) {
            LayerStats& row = stats.layers[layer];
            row.count.assign(experts, 4);
            row.count[1] = 0;
            row.output_sum.assign(2 * experts, 3.0);
            row.output_sum[0] = -6;
            for (std::size_t e = 2; e < experts; ++e) {
                plan.layers[layer].kept.push_back(static_cast<std::int32_t>(e));
            }
        }
        const ExpertConstants found = mean_outputs(stats, plan, config);
        for (const std::int64_t layer : config.moe_layers()) {
            QCOMPARE(found.at(layer).size(), std::size_t{2});
            QCOMPARE(found.at(layer).at(0), (std::vector<float>{-1.5F, 0.75F}));
            QCOMPARE(found.at(layer).at(1), (std::vector<float>{0, 0}));  // no token chose it
        }
        stats.layers.begin()->second.output_sum.clear();
        QCOMPARE(error_of([&] { mean_outputs(stats, plan, config); })->code(),
                 ErrorCode::RunRecipe);
    }

    void a_plan_that_needs_it_is_refused_with_the_choices() {
        const auto model = ModelSource::open(golden("models/qwen3_moe-basic"));
        const std::string counts = message_of(uneven_plan(model->config()), model->config());
        for (const char* choice : {"--pad-to-uniform", "--keep 6", "--native"}) {
            QVERIFY2(counts.find(choice) != std::string::npos, counts.c_str());
        }
        const std::string mone = message_of(replacing_plan(model->config()), model->config());
        QVERIFY(mone.find("--native") != std::string::npos);
    }

    void an_even_plan_stays_what_every_program_reads() {
        const Folder folder;
        const auto model = ModelSource::open(golden("models/qwen3_moe-basic"));
        const PruneReport report =
            prune_native(*model, plan_keeping(*model, 6), folder.path("out"));
        QVERIFY(!report.is_native);
        QCOMPARE(read_json_file(folder.path("out") / "config.json").at("model_type"), "qwen3_moe");
    }

    void other_formats_refuse_it() {
        const Folder folder;
        const auto model = ModelSource::open(golden("models/qwen3_moe-basic"));
        const ExpertPlan plan = uneven_plan(model->config());
        prune_native(*model, plan, folder.path("out"));
        const Json config = read_json_file(folder.path("out") / "config.json");
        QCOMPARE(config.at("model_type"), kNativeModelType);
        QCOMPARE(config.at("original").at("model_type"), "qwen3_moe");
        const auto native = ModelSource::open(folder.path("out"));
        QCOMPARE(
            error_of([&] { stored_layouts(native->config(), *gguf_names("qwen3moe")); })->code(),
            ErrorCode::GgufInexpressible);
        QCOMPARE(error_of([&] {
                     prune_native(*native, plan_keeping(*native, 4), folder.path("again"));
                 })->code(),
                 ErrorCode::RunRecipe);
        const auto gguf = ModelSource::open(golden("gguf/models/qwen3moe/qwen3moe.q8_0.gguf"));
        QCOMPARE(error_of([&] {
                     prune_native(*gguf, uneven_plan(gguf->config()), folder.path("out.gguf"));
                 })->code(),
                 ErrorCode::GgufInexpressible);
        QVERIFY(!fs::exists(folder.path("out.gguf")) && !fs::exists(folder.path("again")));
    }

    void it_is_reported() {
        const Folder folder;
        const auto model = ModelSource::open(golden("models/qwen3_moe-basic"));
        const ExpertPlan plan = replacing_plan(model->config());
        const ExpertConstants constants = some_constants(plan, model->config());
        prune_native(*model, plan, folder.path("out"), &constants);
        const auto native = ModelSource::open(folder.path("out"));
        const ModelReport report = report_on(*native);
        QCOMPARE(report.experts_by_layer.size(), model->config().layers.size());
        QVERIFY(report.constants > 0);
        QCOMPARE(to_json(report).at("native").at("constants"), report.constants);
        // Not a weight more or less a token, if its experts are whole ones.
        QCOMPARE(count_parameters(native->config()).active,
                 count_parameters(model->config()).active);
        QVERIFY(native->hash() != model->hash());
    }

    void broken_configs_are_refused_data() {
        QTest::addColumn<QString>("patch");
        QTest::newRow("a layer too few") << R"({"num_experts_per_layer":[4]})";
        QTest::newRow("none") << R"({"num_experts_per_layer":null})";
        QTest::newRow("too few for a token") << R"({"num_experts_per_layer":[1,1,1]})";
        QTest::newRow("too many") << R"({"num_experts_per_layer":[12,99999999,12]})";
        QTest::newRow("constants twice") << R"({"constant_experts":[[1,1],[],[]]})";
        QTest::newRow("constants past the end") << R"({"constant_experts":[[40],[],[]]})";
        QTest::newRow("constants of text") << R"({"constant_experts":[["a"],[],[]]})";
        QTest::newRow("inside itself") << R"({"original":{"model_type":"espalier_moe"}})";
        QTest::newRow("another version") << R"({"version":2})";
        QTest::newRow("a field nobody knows") << R"({"scale":2})";
    }
    void broken_configs_are_refused() {
        QFETCH(QString, patch);
        const auto model = ModelSource::open(golden("models/qwen3_moe-basic"));
        const std::vector<NativeLayer> layers(model->config().layers.size(), {12, {3}});
        Json config = native_config(model->hub_folder()->config(), layers);
        QVERIFY(config_from_hub(config, {}, "config.json").is_constant(0, 3));
        config.merge_patch(Json::parse(patch.toStdString()));
        QVERIFY_THROWS_EXCEPTION(Error, config_from_hub(config, {}, "config.json"));
    }
};

QTEST_APPLESS_MAIN(TestNativeFolder)
#include "tst_native_folder.moc"
