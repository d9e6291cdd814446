#include <QTemporaryDir>
#include <QTest>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/atomic_file.h"
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

    SearchWindows windows(std::int64_t tokens) const {
        return read_search_windows(*m_model, {.data = {{kSample / "calibration/mix.txt", "mix", 1}},
                                              .file = {},
                                              .context = 128,
                                              .max_tokens = tokens});
    }
    /// Few tokens are left unseen, for speed.
    MeasuredSelectionInput input(std::int64_t tries) {
        SelectOptions options;
        options.keep.ratio = 0.5;
        options.accept = {"low_task_mass"};
        SearchWindows texts = windows(1024);
        texts.unseen.windows.resize(4);
        texts.unseen.task_of_window.resize(4);
        return {.model = *m_model,
                .stats = m_stats,
                .options = options,
                .windows = std::move(texts),
                .seconds = 1e6,
                .max_tries = tries,
                .pool = m_pool};
    }
    double kl(const ExpertPlan& plan, const TokenWindows& texts) {
        NativeModel model(*m_model, m_pool);
        model.set_arithmetic(Arithmetic::BFloat16);
        return MaskProbe(model, texts).measure(plan.mask(m_model->config())).all.kl;
    }

private Q_SLOTS:
    void the_result_costs_no_more_than_any_criterion_on_texts_it_has_not_seen() {
        const MeasuredSelectionInput asked = input(8);
        const ExpertPlan plan = select_by_measurement(asked);
        QCOMPARE(plan.criterion, std::string("auto"));
        QCOMPARE(plan.model_hash, m_model->hash());
        for (const auto& [layer, row] : plan.layers) {
            QCOMPARE(row.kept.size(), std::size_t{16});
            QVERIFY(row.locked.empty() && row.forced_out.empty());
        }
        const Json& story = plan.reasons.at("search");
        QVERIFY(story.at("candidates").size() >= 5);
        for (const Json& row : story.at("candidates")) {
            QVERIFY(story.at("unseen_kl") <= row.at("unseen_kl"));
            QCOMPARE(row.at("scope"), Json("layers"));
        }
        QVERIFY(story.at("kl") <= story.at("start_kl"));
        // What the plan says of itself is what its mask costs on the windows that it may not see.
        QCOMPARE(kl(plan, asked.windows.unseen), story.at("unseen_kl").get<double>());
        const auto tries = story.at("measurements").get<int>() + story.at("expansions").get<int>();
        QVERIFY(tries >= 4 && tries <= 9);  // the last exchange may be measured once more
    }

    void the_same_tries_give_the_same_plan_and_keep_wishes() {
        MeasuredSelectionInput asked = input(4);
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
        MeasuredSelectionInput asked = input(30);
        asked.options.scope = SelectScope::Across;
        const ExpertPlan plan = select_by_measurement(asked);
        std::size_t total = 0;
        std::set<std::size_t> sizes;
        for (const auto& [layer, row] : plan.layers) {
            QVERIFY(row.kept.size() >= 6);
            total += row.kept.size();
            sizes.insert(row.kept.size());
        }
        QCOMPARE(total, std::size_t{6 * 16});
        QVERIFY(sizes.size() > 1);
        const Json& story = plan.reasons.at("search");
        std::set<std::string> scopes;
        for (const Json& row : story.at("candidates")) {
            QVERIFY(story.at("unseen_kl") <= row.at("unseen_kl"));
            scopes.insert(row.at("scope"));
        }
        QCOMPARE(scopes, (std::set<std::string>{"across", "layers"}));
        QCOMPARE(kl(plan, asked.windows.unseen), story.at("unseen_kl").get<double>());
    }

    void a_recipe_may_ask_for_it() {
        QTemporaryDir dir;
        const fs::path folder = dir.path().toStdString();
        save_expert_stats(m_stats, folder / "stats.safetensors");
        std::ofstream(folder / "probe.txt")
            << read_file(kSample / "heldout/python.txt").substr(0, 4000);
        const Stage& stage = find_stage("prune");
        const StageEntry entry{"prune",
                               {{"criterion", "auto"},
                                {"keep_experts", 16},
                                {"search_tries", 5},
                                {"search_tokens", 1024},
                                {"probe_file", (folder / "probe.txt").string()},
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

    void texts_are_searched_on_or_kept_unseen_never_both() {
        const SearchWindows both = windows(2048);
        QCOMPARE(both.seen.num_tokens(), std::int64_t{2048});
        QVERIFY(both.unseen.num_tokens() > 4096);
        for (const auto& window : both.unseen.windows) {
            QVERIFY(std::find(both.seen.windows.begin(), both.seen.windows.end(), window) ==
                    both.seen.windows.end());
        }
        const SearchWindows alone =
            read_search_windows(*m_model, {.data = {},
                                           .file = kSample / "heldout/python.txt",
                                           .context = 128,
                                           .max_tokens = 1024});
        QCOMPARE(alone.seen.windows.size(), std::size_t{6});
        QCOMPARE(alone.unseen.windows.size(), std::size_t{2});
        const SearchWindows probed =
            read_search_windows(*m_model, {.data = {{kSample / "calibration/mix.txt", "mix", 1}},
                                           .file = kSample / "heldout/python.txt",
                                           .context = 128,
                                           .max_tokens = 1024});
        QVERIFY(probed.seen.windows.front() == both.seen.windows.front());
        QVERIFY(probed.unseen.windows.front() == alone.seen.windows.front());
    }

    void less_than_two_windows_are_refused() {
        QTemporaryDir dir;
        const fs::path text = dir.path().toStdString() + "/short.txt";
        std::ofstream(text) << "A few words.\n";
        QVERIFY_EXCEPTION_THROWN(
            read_search_windows(*m_model, {.data = {}, .file = text, .max_tokens = 1024}), Error);
    }
};

QTEST_GUILESS_MAIN(tst_measured_selection)
#include "tst_measured_selection.moc"
