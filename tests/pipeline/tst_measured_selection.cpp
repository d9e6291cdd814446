#include <QTemporaryDir>
#include <QTest>
#include <cmath>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "eval/mask_probe.h"
#include "model/model_source.h"
#include "pipeline/measured_selection.h"
#include "pipeline/probe_windows.h"
#include "pipeline/stage.h"
#include "sample_run.h"
#include "sample_stats.h"

using namespace espalier;
namespace fs = std::filesystem;

namespace {

const fs::path kSample = ESPALIER_SAMPLE;

}  // namespace

class tst_measured_selection : public QObject {
    Q_OBJECT

private:
    std::unique_ptr<ModelSource> m_model = ModelSource::open(kSample / "model");
    ExpertStats m_stats = test::sample_stats(*m_model);
    ThreadPool m_pool{2};

    TokenWindows probe(std::int64_t tokens) const {
        return read_probe_windows(*m_model, {.data = {{kSample / "calibration/mix.txt", "mix", 1}},
                                             .file = {},
                                             .context = 128,
                                             .max_tokens = tokens});
    }
    MeasuredSelectionInput input(std::int64_t tries) {
        SelectOptions options;
        options.keep.ratio = 0.5;
        options.accept = {"low_task_mass"};
        return {.model = *m_model,
                .stats = m_stats,
                .options = options,
                .probe = probe(1024),
                .seconds = 1e6,
                .max_measurements = tries,
                .pool = m_pool};
    }

private Q_SLOTS:
    void the_search_lowers_what_the_best_criterion_costs() {
        const ExpertPlan plan = select_by_measurement(input(90));
        QCOMPARE(plan.criterion, std::string("auto"));
        QCOMPARE(plan.model_hash, m_model->hash());
        for (const auto& [layer, row] : plan.layers) {
            QCOMPARE(row.kept.size(), std::size_t{16});
            QVERIFY(row.locked.empty() && row.forced_out.empty());
        }
        const Json& story = plan.reasons.at("search");
        double best = 1e9;
        for (const Json& row : story.at("candidates")) {
            best = std::min(best, row.at("kl").get<double>());
        }
        QVERIFY(story.at("kl").get<double>() < 0.99 * best);
        QVERIFY(story.at("swaps").get<int>() + story.at("layers_taken").get<int>() > 0);

        // What the plan says of itself is what its mask costs on the windows that it may not see.
        TokenWindows unseen;
        const TokenWindows all = probe(1024);
        unseen.tasks = all.tasks;
        for (std::size_t w = 1; w < all.windows.size(); w += 4) {
            unseen.windows.push_back(all.windows[w]);
            unseen.task_of_window.push_back(0);
        }
        NativeModel model(*m_model, m_pool);
        MaskProbe check(model, unseen);
        QCOMPARE(check.measure(plan.mask(m_model->config())).all.kl,
                 story.at("unseen_kl").get<double>());
        QCOMPARE(check.whole().all.tokens, story.at("unseen_tokens").get<std::int64_t>());
    }

    void the_same_tries_give_the_same_plan_and_keep_wishes() {
        MeasuredSelectionInput asked = input(16);
        asked.options.wishes[2] = {{}, {1, 2}, {30}};
        const ExpertPlan plan = select_by_measurement(asked);
        const LayerPlan& layer = plan.layers.at(2);
        QCOMPARE(layer.locked, (std::vector<std::int32_t>{1, 2}));
        QCOMPARE(layer.forced_out, std::vector<std::int32_t>{30});
        const auto keeps = [&](std::int32_t e) {
            return std::find(layer.kept.begin(), layer.kept.end(), e) != layer.kept.end();
        };
        QVERIFY(keeps(1) && keeps(2) && !keeps(30));
        QVERIFY(select_by_measurement(asked).layers == plan.layers);
    }

    void experts_move_between_layers_where_they_may() {
        MeasuredSelectionInput asked = input(140);
        asked.options.scope = SelectScope::Across;
        const ExpertPlan plan = select_by_measurement(asked);
        std::size_t total = 0;
        std::set<std::size_t> sizes;
        for (const auto& [layer, row] : plan.layers) {
            QVERIFY(row.kept.size() >= 8);
            total += row.kept.size();
            sizes.insert(row.kept.size());
        }
        QCOMPARE(total, std::size_t{6 * 16});
        QVERIFY(sizes.size() > 1);
        const Json& story = plan.reasons.at("search");
        for (const Json& row : story.at("candidates")) {
            QVERIFY(story.at("kl").get<double>() <= row.at("kl").get<double>());
        }
        NativeModel model(*m_model, m_pool);
        TokenWindows search = probe(1024);
        for (std::size_t w = search.windows.size(); w-- > 0;) {
            if (w % 4 == 1)
                search.windows.erase(search.windows.begin() + static_cast<std::ptrdiff_t>(w));
        }
        search.task_of_window.assign(search.windows.size(), 0);
        MaskProbe check(model, search);
        const double kl = check.measure(plan.mask(m_model->config())).all.kl;
        QVERIFY(std::abs(kl - story.at("kl").get<double>()) < 1e-9);
    }

    void a_recipe_may_ask_for_it() {
        QTemporaryDir dir;
        const fs::path folder = dir.path().toStdString();
        save_expert_stats(m_stats, folder / "stats.safetensors");
        const Stage& stage = find_stage("prune");
        const StageEntry entry{"prune",
                               {{"criterion", "auto"},
                                {"keep_experts", 16},
                                {"search_tries", 11},
                                {"search_tokens", 1024},
                                {"accept", {"low_task_mass"}}}};
        stage.validate(entry.config);
        Recipe recipe;
        recipe.model = kSample / "model";
        recipe.data = {{kSample / "calibration/mix.txt", "mix", 1}};
        test::Deaf deaf;
        fs::create_directories(folder / "out");
        const StageContext context{.recipe = recipe,
                                   .entry = entry,
                                   .state = {.original = recipe.model,
                                             .model = recipe.model,
                                             .stats = folder / "stats.safetensors",
                                             .stats_model = recipe.model,
                                             .plan = {}},
                                   .folder = folder / "out",
                                   .num_threads = 2,
                                   .observer = deaf,
                                   .stop = {}};
        const StageOutput output = stage.run(context);
        const ExpertPlan plan = load_expert_plan(output.plan);
        QCOMPARE(plan.criterion, std::string("auto"));
        QCOMPARE(ModelSource::open(output.model)->config().router.num_experts, std::int64_t{16});
        // Killed while it wrote the model: what was found is not searched for again.
        ExpertPlan other = plan;
        other.layers.at(0).kept = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 31};
        save_expert_plan(other, folder / "out/plan.json");
        QVERIFY(load_expert_plan(stage.run(context).plan).layers == other.layers);
    }

    void less_than_two_windows_are_refused() {
        MeasuredSelectionInput asked = input(5);
        asked.probe.windows.resize(1);
        asked.probe.task_of_window.resize(1);
        QVERIFY_EXCEPTION_THROWN(select_by_measurement(asked), Error);
    }
};

QTEST_GUILESS_MAIN(tst_measured_selection)
#include "tst_measured_selection.moc"
