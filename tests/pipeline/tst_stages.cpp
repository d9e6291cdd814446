#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/cancel.h"
#include "base/error.h"
#include "pipeline/artifact_hash.h"
#include "routing/provenance.h"
#include "sample_run.h"
#include "sample_stats.h"
#include "support/compare_json.h"

using namespace espalier;
namespace fs = std::filesystem;

class tst_stages : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        m_request = test::sample_run(m_dir.path().toStdString());
        test::Deaf deaf;
        m_report = execute_recipe(m_request, deaf, {});
    }

    void prune_leaves_a_model_with_half_the_experts() {
        const auto model = ModelSource::open(m_request.out / "01-prune" / "model");
        QCOMPARE(model->config().router.num_experts, std::int64_t{16});
        const Provenance origin = provenance_of(*model);
        QCOMPARE(origin.expert_map.at(5).at(3), 6);
        COMPARE_JSON(origin.lineage.at(0).at("stage"), Json("prune"));
        QCOMPARE(metric(0, "experts_before").get<int>(), 32);
        QCOMPARE(metric(0, "experts_after").get<int>(), 16);
    }

    void quantize_leaves_one_gguf_file() {
        const auto model = ModelSource::open(m_request.out / "02-quantize" / "model.gguf");
        QCOMPARE(model->config().router.num_experts, std::int64_t{16});
        QCOMPARE(metric(1, "bytes").get<std::uint64_t>(),
                 fs::file_size(m_request.out / "02-quantize" / "model.gguf"));
        QVERIFY(metric(1, "bits_per_weight").get<double>() < 9.5);
    }

    void evaluate_compares_the_result_with_the_original() {
        const double original = metric(2, "reference_perplexity.cpp").get<double>();
        const double cut = metric(2, "perplexity.cpp").get<double>();
        QVERIFY(original > 1 && original < 100);
        QVERIFY(cut > original);  // half of the experts went without a look at the data
        QVERIFY(metric(2, "kl").get<double>() > 0);
        QCOMPARE(metric(2, "tokens").get<int>(), 2 * 63);
        const Json routing = m_report.at("stages").at(2).at("routing");
        QCOMPARE(routing.at("per_layer").size(), std::size_t{6});
        QVERIFY(routing.at("restricted").get<bool>());
    }

    void every_stage_reports_its_routing_data() {
        QTest::addColumn<int>("stage");
        QTest::addColumn<QString>("folder");
        QTest::addRow("prune") << 0 << "01-prune";
        QTest::addRow("quantize") << 1 << "02-quantize";
        QTest::addRow("evaluate") << 2 << "03-evaluate";
    }

    void every_stage_reports_its_routing() {
        QFETCH(int, stage);
        QFETCH(QString, folder);
        const Json brief = m_report.at("stages").at(static_cast<std::size_t>(stage)).at("routing");
        const Json whole =
            read_json_file(m_request.out / folder.toStdString() / "routing_report.json");
        const std::string verdict = whole.at("verdict");
        QVERIFY(verdict == "pass" || verdict == "warn" || verdict == "fail");
        COMPARE_JSON(brief.at("verdict"), whole.at("verdict"));
        COMPARE_JSON(whole.at("reference"),
                     Json(ModelSource::open(m_request.recipe.model)->hash()));
        QVERIFY(whole.at("restricted").get<bool>());
        QCOMPARE(whole.at("per_layer").at(0).at("load").size(), std::size_t{16});
        QVERIFY(!brief.at("per_layer").at(0).contains("load"));
        QVERIFY(whole.at("per_task").size() == 1);
        QVERIFY(!whole.at("floor").is_null());
        const Json& first = whole.at("per_layer").at(0);
        if (stage > 0) return;
        // A cut router that was not changed is exactly the restricted one, on the original's input.
        for (const Json& layer : whole.at("per_layer")) {
            QCOMPARE(layer.at("local_recall").get<double>(), 1.0);
            QVERIFY(layer.at("local_kl").get<double>() < 1e-6);
        }
        QVERIFY(first.at("lost_output").get<double>() > 0.1);
        QVERIFY(metric(0, "routing.displaced").get<double>() > 0.1);
    }

    void the_result_is_the_gguf_file() {
        const Json result = m_report.at("result");
        const ArtifactSize size = hash_artifact(m_request.out / "02-quantize" / "model.gguf", {});
        QCOMPARE(result.at("bytes").get<std::uint64_t>(), size.bytes);
        QCOMPARE(result.at("sha256").get<std::string>(), size.sha256);
    }

    void the_same_recipe_gives_the_same_bytes() {
        QTemporaryDir again;
        RunRequest request = test::sample_run(again.path().toStdString());
        request.num_threads = 3;
        test::Deaf deaf;
        const Json report = execute_recipe(request, deaf, {});
        COMPARE_JSON(report.at("result").at("sha256"), m_report.at("result").at("sha256"));
    }

    void statistics_may_come_from_a_file() {
        QTemporaryDir dir;
        const fs::path folder = dir.path().toStdString();
        RunRequest request = test::sample_run(folder);
        ExpertPlan plan = load_expert_plan(folder / "plan.json");
        plan.criterion = "mone";  // constants in place of experts
        save_expert_plan(plan, folder / "plan.json");
        const auto model = ModelSource::open(request.recipe.model);
        ExpertStats stats = test::sample_stats(*model);
        const auto hidden = static_cast<std::size_t>(model->config().hidden_size);
        for (auto& [index, layer] : stats.layers) {
            layer.output_sum.resize(layer.count.size() * hidden);
            for (std::size_t e = 0; e < layer.count.size(); ++e) {
                std::fill_n(layer.output_sum.begin() + static_cast<std::ptrdiff_t>(e * hidden),
                            hidden, static_cast<double>(layer.count[e]));
            }
        }
        save_expert_stats(stats, folder / "stats.safetensors");
        request.recipe.stages.resize(1);
        request.recipe.stages[0].config["native"] = true;
        test::Deaf deaf;
        RunRequest without = request;
        without.out = folder / "without";
        QVERIFY_THROWS_EXCEPTION(Error, execute_recipe(without, deaf, {}));
        request.recipe.stages[0].config["stats_path"] = (folder / "stats.safetensors").string();
        const Json report = execute_recipe(request, deaf, {});
        COMPARE_JSON(report.at("stages").at(0).at("metrics").at("constants"), Json(6 * 16));
        const auto cut = ModelSource::open(request.out / "01-prune" / "model");
        QVERIFY(cut->config().is_native());
        // No path of this machine goes with the model.
        const Json lineage = provenance_of(*cut).lineage.at(0).at("config");
        QVERIFY(!lineage.contains("stats_path") && !lineage.contains("plan_path"));
    }

    void stopping_leaves_no_finished_stage_half_done() {
        QTemporaryDir dir;
        const RunRequest request = test::sample_run(dir.path().toStdString());
        std::stop_source stop;
        stop.request_stop();
        test::Deaf deaf;
        QVERIFY_THROWS_EXCEPTION(Cancelled, execute_recipe(request, deaf, stop.get_token()));
        QVERIFY(!fs::exists(request.out / "01-prune"));
        QVERIFY(!fs::exists(request.out / "report.json"));
    }

private:
    Json metric(std::size_t stage, const char* name) const {
        return m_report.at("stages").at(stage).at("metrics").at(name);
    }

    QTemporaryDir m_dir;
    RunRequest m_request;
    Json m_report;
};

QTEST_APPLESS_MAIN(tst_stages)
#include "tst_stages.moc"
