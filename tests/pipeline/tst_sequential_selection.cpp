#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <stop_token>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"
#include "base/file_hash.h"
#include "calib/calibrate.h"
#include "pipeline/recipe.h"
#include "pipeline/sequential_selection.h"
#include "pipeline/stage.h"
#include "prune/write_pruned.h"
#include "sample_run.h"

using namespace espalier;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kKept = 16;

bool are_close(const std::vector<double>& a, const std::vector<double>& b, double relative) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](double x, double y) {
        return std::abs(x - y) <= relative * std::max(std::abs(x), std::abs(y));
    });
}

}  // namespace

/// On the sample, whose layers change what later ones see.
class TestSequentialSelection : public QObject {
    Q_OBJECT

private:
    QTemporaryDir m_folder;
    std::unique_ptr<ModelSource> m_model;
    ExpertStats m_stats;  ///< of the whole model

    fs::path path(const std::string& name) const {
        return fs::path(m_folder.path().toStdString()) / name;
    }

    CalibrateRequest request(const fs::path& model, const fs::path& out) const {
        CalibrateRequest request;
        request.model = model;
        request.data = data();
        request.out = out;
        request.max_tokens = 4096;
        request.context = 512;
        request.stats = "basic,profiles,input_energy";
        request.num_threads = 2;
        return request;
    }
    static std::vector<DataSource> data() {
        return {parse_data_source("python=" ESPALIER_SAMPLE "/calibration/python.txt")};
    }

    SequentialInput input(const std::string& criterion, const std::string& merge,
                          const std::string& out) const {
        SequentialInput input{.model = *m_model,
                              .stats = m_stats,
                              .options = {},
                              .data = data(),
                              .out = path(out),
                              .num_threads = 2};
        input.options.criterion = criterion;
        input.options.merge = merge;
        input.options.keep = {.ratio = std::nullopt, .experts = kKept};
        input.options.accept = {"low_task_mass"};
        return input;
    }

    /// What attention and the output matrix are given: sums over the hidden states between layers.
    void compare_hidden_states(const ExpertStats& stats, const ExpertStats& of_result) const {
        for (std::int64_t l = 0; l < m_model->config().num_layers(); ++l) {
            const std::string name = fmt::format("blk.{}.attn_q", l);
            QVERIFY2(are_close(stats.input_energies.at(name).sq_sum,
                               of_result.input_energies.at(name).sq_sum, 1e-5),
                     name.c_str());
        }
        QVERIFY(are_close(stats.input_energies.at("output").sq_sum,
                          of_result.input_energies.at("output").sq_sum, 1e-5));
    }

private Q_SLOTS:
    void initTestCase() {
        const fs::path sample = fs::path(ESPALIER_SAMPLE) / "model";
        m_model = ModelSource::open(sample);
        calibrate(request(sample, path("whole.safetensors")), {}, {});
        m_stats = load_expert_stats(path("whole.safetensors"), true);
    }

    void layers_see_what_the_result_computes_data() {
        QTest::addColumn<QString>("criterion");
        QTest::addColumn<QString>("merge");
        QTest::newRow("removed") << "reap"
                                 << "";
        QTest::newRow("ream") << "reap"
                              << "ream";
        QTest::newRow("m_smoe") << "frequency"
                                << "m_smoe";
    }
    void layers_see_what_the_result_computes() {
        QFETCH(QString, criterion);
        QFETCH(QString, merge);
        const std::string name = merge.isEmpty() ? "removed" : merge.toStdString();
        const SequentialSelection found = select_sequentially(
            input(criterion.toStdString(), merge.toStdString(), name + ".safetensors"));
        for (const auto& [layer, row] : found.plan.layers) {
            QCOMPARE(static_cast<std::int64_t>(row.kept.size()), kKept);
        }
        QCOMPARE(found.stats.settings.at("propagate").get<std::string>(), "sequential");
        QCOMPARE(found.plan.stats_hash, found.stats.file_hash);
        // The first layer sees what it always saw; the second one does not.
        QCOMPARE(found.stats.layers.at(0), m_stats.layers.at(0));
        QVERIFY(!are_close(found.stats.layers.at(1).gated_norm_sum,
                           m_stats.layers.at(1).gated_norm_sum, 1e-3));

        const fs::path written = path(name + ".model");
        write_pruned({.model = *m_model,
                      .plan = found.plan,
                      .out = written,
                      .lineage = {},
                      .stats = &found.stats,
                      .num_threads = 2});
        calibrate(request(written, path(name + ".after.safetensors")), {}, {});
        compare_hidden_states(found.stats,
                              load_expert_stats(path(name + ".after.safetensors"), true));
    }

    void goes_on_where_it_was_stopped() {
        select_sequentially(input("reap", "ream", "at_once.safetensors"));
        std::stop_source stop;
        SequentialInput halting = input("reap", "ream", "resumed.safetensors");
        halting.progress = [&](double fraction, const std::string&) {
            if (fraction > 0.5) stop.request_stop();
        };
        QVERIFY_THROWS_EXCEPTION(Cancelled, select_sequentially(halting, stop.get_token()));
        QVERIFY(!fs::exists(path("resumed.safetensors")));
        std::vector<double> shares;
        SequentialInput again = input("reap", "ream", "resumed.safetensors");
        again.progress = [&](double fraction, const std::string&) { shares.push_back(fraction); };
        select_sequentially(again);
        QVERIFY(shares.front() > 0.3);
        QCOMPARE(sha256_of_file(path("resumed.safetensors")),
                 sha256_of_file(path("at_once.safetensors")));
    }

    void super_experts_are_those_of_the_whole_model() {
        SequentialInput loud = input("reap", "", "loud.safetensors");
        ExpertStats stats = m_stats;
        // The one that REAP would remove first from the third layer.
        const LayerStats& layer = stats.layers.at(2);
        std::size_t worst = 0;
        for (std::size_t e = 0; e < layer.count.size(); ++e) {
            const auto reap = [&](std::size_t i) {
                return layer.gated_norm_sum[i] / static_cast<double>(layer.count[i]);
            };
            if (layer.count[e] > 0 && reap(e) < reap(worst)) worst = e;
        }
        stats.layers.at(2).max_abs[worst] = 1e6;
        const SequentialInput with_loud{.model = *m_model,
                                        .stats = stats,
                                        .options = loud.options,
                                        .data = data(),
                                        .out = loud.out,
                                        .num_threads = 2};
        const ExpertPlan plan = select_sequentially(with_loud).plan;
        const auto& kept = plan.layers.at(2).kept;
        QVERIFY(std::binary_search(kept.begin(), kept.end(), static_cast<std::int32_t>(worst)));
    }

    void a_recipe_may_ask_for_it() {
        const Stage& stage = find_stage("prune");
        const StageEntry entry{"prune",
                               {{"criterion", "reap"},
                                {"merge", "ream"},
                                {"sequential", true},
                                {"keep_experts", kKept},
                                {"routing_tokens", 0},
                                {"repetition_tokens", 0},
                                {"accept", {"low_task_mass"}}}};
        stage.validate(entry.config);
        Recipe recipe;
        recipe.model = m_model->path();
        recipe.data = data();
        test::Deaf deaf;
        fs::create_directories(path("stage"));
        const StageContext context{.recipe = recipe,
                                   .entry = entry,
                                   .state = {.original = recipe.model,
                                             .model = recipe.model,
                                             .stats = path("whole.safetensors"),
                                             .stats_model = recipe.model,
                                             .plan = {}},
                                   .folder = path("stage"),
                                   .num_threads = 2,
                                   .observer = deaf,
                                   .stop = {}};
        const StageOutput output = stage.run(context);
        const SequentialSelection direct =
            select_sequentially(input("reap", "ream", "direct.safetensors"));
        const ExpertPlan plan = load_expert_plan(output.plan);
        QVERIFY(plan.layers == direct.plan.layers);
        QCOMPARE(plan.stats_hash, direct.plan.stats_hash);
        // Its means are those of the statistics that it was made from.
        write_pruned({.model = *m_model,
                      .plan = direct.plan,
                      .out = path("direct.model"),
                      .lineage = {},
                      .stats = &direct.stats,
                      .num_threads = 2});
        QCOMPARE(sha256_of_file(output.model / "model.safetensors"),
                 sha256_of_file(path("direct.model") / "model.safetensors"));

        for (const Json& refused : {Json{{"criterion", "auto"}}, Json{{"scope", "across"}},
                                    Json{{"progressive", true}}}) {
            Json config = entry.config;
            config.update(refused);
            if (refused.contains("criterion")) config["merge"] = "";
            QVERIFY_THROWS_EXCEPTION(Error, stage.validate(config));
        }
    }

    void what_needs_all_layers_is_refused() {
        SequentialInput across = input("reap", "", "refused.safetensors");
        across.options.scope = SelectScope::Across;
        QVERIFY_THROWS_EXCEPTION(Error, select_sequentially(across));
        QVERIFY_THROWS_EXCEPTION(Error,
                                 select_sequentially(input("auto", "", "refused.safetensors")));
        QVERIFY_THROWS_EXCEPTION(Error,
                                 select_sequentially(input("mone", "", "refused.safetensors")));
        QVERIFY(!fs::exists(path("refused.safetensors")));
    }
};

QTEST_GUILESS_MAIN(TestSequentialSelection)
#include "tst_sequential_selection.moc"
