#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"
#include "eval/mask_probe.h"
#include "formats/safetensors_reader.h"
#include "pipeline/measured_selection.h"
#include "pipeline/probe_windows.h"
#include "pipeline/progressive_prune.h"
#include "pipeline/prune_stage.h"
#include "pipeline/recovery_step.h"
#include "sample_stats.h"
#include "support/error_of.h"

using namespace espalier;
using namespace espalier::test;
namespace fs = std::filesystem;

namespace {

const fs::path kSample = ESPALIER_SAMPLE;

/// Keeps what the rounds report, and may ask them to stop after some of them.
class Watcher : public RunObserver {
public:
    std::vector<double> experts;
    std::vector<double> kl;
    std::vector<double> recall;
    std::size_t stop_after = 1000;
    std::stop_source stop;

    void on_event(const RunEvent& event) override {
        const auto* metric = std::get_if<MetricMeasured>(&event);
        if (metric == nullptr) return;
        if (metric->name == "rounds.experts") experts.push_back(metric->value);
        if (metric->name == "rounds.kl") kl.push_back(metric->value);
        if (metric->name == "rounds.recall") recall.push_back(metric->value);
        if (kl.size() >= stop_after) stop.request_stop();
    }
};

std::vector<std::int64_t> experts_of(const ProgressiveResult& result) {
    std::vector<std::int64_t> numbers;
    for (const Json& round : result.rounds) {
        numbers.push_back(round.at("experts").get<std::int64_t>());
    }
    return numbers;
}

using Numbers = std::vector<std::int64_t>;

/// Zeros in place of the last norm: a model without an opinion, to which every token is as likely.
void silence(const fs::path& weights) {
    const SafetensorsFile file(weights);
    const std::span<const std::byte> norm = file.find("model.norm.weight")->bytes;
    std::fstream out(weights, std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(norm.data() - file.file().bytes().data());
    out << std::string(norm.size(), 0);
    if (!out.flush()) throw std::runtime_error("cannot be written");
}

}  // namespace

class TestProgressivePrune : public QObject {
    Q_OBJECT

private:
    std::unique_ptr<ModelSource> m_model = ModelSource::open(kSample / "model");
    ExpertStats m_stats = sample_stats(*m_model);
    ThreadPool m_pool{2};
    TokenWindows m_probe =
        read_probe_windows(*m_model, {.data = {{kSample / "calibration/mix.txt", "mix", 1}},
                                      .file = {},
                                      .context = 128,
                                      .max_tokens = 512});

    SelectOptions options(std::int64_t keep) const {
        SelectOptions chosen;
        chosen.keep.experts = keep;
        chosen.accept = {"low_task_mass"};
        return chosen;
    }
    /// Without the comparison of routing, which takes longer than all else, unless it is asked for.
    ProgressiveInput input(const QTemporaryDir& folder, Watcher& watcher, RoundSchedule schedule,
                           std::int64_t routing_tokens = 0, std::int64_t keep = 16) {
        schedule.routing_tokens = routing_tokens;
        return {.model = *m_model,
                .stats = m_stats,
                .options = options(keep),
                .schedule = schedule,
                .probe = m_probe,
                .folder = fs::path(folder.path().toStdString()) / "rounds",
                .pool = m_pool,
                .observer = watcher};
    }

private Q_SLOTS:
    void rounds_end_where_one_cut_would() {
        const QTemporaryDir folder;
        Watcher watcher;
        const ProgressiveInput in = input(folder, watcher, {.path = {.rounds = 4}}, 256);
        const ProgressiveResult result = prune_in_rounds(in);
        QCOMPARE(experts_of(result), (Numbers{27, 23, 19, 16}));
        QCOMPARE(watcher.experts, (std::vector<double>{27, 23, 19, 16}));
        QVERIFY(!result.floor);
        QVERIFY(result.plan == select_experts(m_stats, m_model->config(), options(16)));
        for (std::size_t s = 0; s < watcher.kl.size(); ++s) {
            QVERIFY(watcher.kl[s] > 0);
            QCOMPARE(result.rounds[s].at("kl").get<double>(), watcher.kl[s]);
        }
        QVERIFY(watcher.kl.back() > watcher.kl.front());
        // Each says what it does to the routing; fewer experts, more choices that are gone.
        double displaced = 0;
        for (std::size_t s = 0; s < 4; ++s) {
            const Json& routing = result.rounds[s].at("routing");
            QVERIFY(routing.at("verdict").is_string());
            QCOMPARE(routing.at("recall").get<double>(), watcher.recall[s]);
            QVERIFY(routing.at("recall") > 0.5 && routing.at("recall") < 1);
            QVERIFY(routing.at("displaced").get<double>() > displaced);
            displaced = routing.at("displaced").get<double>();
            QVERIFY(!result.rounds[s].contains("kl_after_recovery"));
        }

        // Each round's plan stays, for a user to return to; none brings an expert back.
        ExpertPlan before;
        for (std::size_t s = 1; s <= 4; ++s) {
            const ExpertPlan plan =
                load_expert_plan(in.folder / ("0" + std::to_string(s)) / "plan.json");
            for (const auto& [layer, row] : before.layers) {
                const auto& now = plan.layers.at(layer).kept;
                QVERIFY(std::includes(row.kept.begin(), row.kept.end(), now.begin(), now.end()));
            }
            before = plan;
        }
        QCOMPARE(before.layers, result.plan.layers);
    }

    void limits_halve_the_step_and_end_the_rounds() {
        const QTemporaryDir whole_folder;
        Watcher whole;
        prune_in_rounds(input(whole_folder, whole, {.path = {.rounds = 4}}));
        // Between what the second and the third round cost.
        const double limit = (whole.kl[1] + whole.kl[2]) / 2;
        const QTemporaryDir folder;
        Watcher watcher;
        const ProgressiveResult result =
            prune_in_rounds(input(folder, watcher, {.path = {.rounds = 4}, .max_kl = limit}));
        const Numbers numbers = experts_of(result);
        QCOMPARE(numbers[0], 27);
        QCOMPARE(numbers[1], 23);
        QVERIFY(result.floor.has_value());
        QCOMPARE(*result.floor, numbers.back());
        QVERIFY(*result.floor > 19 && *result.floor <= 23);
        for (const double kl : watcher.kl) QVERIFY(kl <= limit);
        for (const auto& [layer, row] : result.plan.layers) {
            QCOMPARE(static_cast<std::int64_t>(row.kept.size()), *result.floor);
        }
    }

    void each_round_may_search_by_measuring() {
        const QTemporaryDir folder;
        Watcher watcher;
        ProgressiveInput in = input(folder, watcher, {.path = {.rounds = 2}}, 0, 24);
        in.options.criterion = kMeasuredSelection;
        QVERIFY(error_of([&] { prune_in_rounds(in); }).has_value());  // on what?
        in.search =
            RoundSearch{.windows = read_search_windows(
                            *m_model, {.data = {{kSample / "calibration/mix.txt", "mix", 1}},
                                       .file = {},
                                       .context = 128,
                                       .max_tokens = 1024}),
                        .seconds = 1e6,
                        .max_tries = 4};
        in.search->windows.unseen.windows.resize(4);
        in.search->windows.unseen.task_of_window.resize(4);
        const ProgressiveResult result = prune_in_rounds(in);
        QCOMPARE(experts_of(result), (Numbers{28, 24}));
        const ExpertPlan first = load_expert_plan(in.folder / "01/plan.json");
        for (const ExpertPlan* plan : {&first, &result.plan}) {
            QCOMPARE(plan->criterion, std::string(kMeasuredSelection));
            QVERIFY(plan->reasons.at("search").at("measurements") >= 1);
        }
        for (const auto& [layer, row] : result.plan.layers) {
            const auto& before = first.layers.at(layer).kept;
            QVERIFY(std::includes(before.begin(), before.end(), row.kept.begin(), row.kept.end()));
            QVERIFY(row.forced_out.empty());
        }
    }

    void limits_that_allow_nothing_are_an_error() {
        const QTemporaryDir folder;
        Watcher watcher;
        const auto error = error_of([&] {
            prune_in_rounds(input(folder, watcher, {.path = {.rounds = 2}, .max_kl = 1e-12}));
        });
        QVERIFY(error.has_value());
        QCOMPARE(error->code(), ErrorCode::RunRecipe);
    }

    void what_was_cut_short_goes_on_to_the_same_plan() {
        const QTemporaryDir whole_folder;
        Watcher whole;
        const RoundSchedule schedule{.path = {.rounds = 4}};
        const ProgressiveResult expected = prune_in_rounds(input(whole_folder, whole, schedule));

        const QTemporaryDir folder;
        Watcher first;
        first.stop_after = 2;
        QVERIFY_THROWS_EXCEPTION(
            Cancelled, prune_in_rounds(input(folder, first, schedule), first.stop.get_token()));
        // As a process leaves it that was killed while it wrote the third round.
        const fs::path rounds = fs::path(folder.path().toStdString()) / "rounds";
        fs::create_directories(rounds / "03");
        fs::copy_file(rounds / "02" / "plan.json", rounds / "03" / "plan.json");
        Watcher second;
        const ProgressiveResult result = prune_in_rounds(input(folder, second, schedule));
        QCOMPARE(second.experts, (std::vector<double>{19, 16}));  // two were there
        QVERIFY(result.plan == expected.plan);
        QCOMPARE(result.rounds, expected.rounds);

        const auto other =
            error_of([&] { prune_in_rounds(input(folder, second, {.path = {.rounds = 3}})); });
        QVERIFY(other.has_value());
        QCOMPARE(other->code(), ErrorCode::FileExists);
        ProgressiveInput wish = input(folder, second, schedule);
        wish.options.wishes[0].locked = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
        QCOMPARE(error_of([&] { prune_in_rounds(wish); })->code(), ErrorCode::FileExists);
    }

    void statistics_measured_anew_never_bring_an_expert_back() {
        const QTemporaryDir folder;
        Watcher watcher;
        ProgressiveInput in = input(folder, watcher, {.path = {.rounds = 4}, .remeasure = 1});
        std::vector<ExpertPlan> plans;
        in.remeasure = [&](const fs::path& model, const ExpertPlan& plan, const fs::path& file) {
            plans.push_back(plan);
            if (model != m_model->path()) throw std::logic_error("the weights did not change");
            ExpertStats turned = m_stats;  // the other way round: what was worst is best
            for (auto& [index, layer] : turned.layers) {
                for (std::size_t e = 0; e < layer.count.size(); ++e) {
                    layer.gated_norm_sum[e] =
                        static_cast<double>(layer.count[e]) / (1e-6 + layer.gated_norm_sum[e]);
                }
            }
            save_expert_stats(turned, file);
            return turned;
        };
        const ProgressiveResult result = prune_in_rounds(in);
        QCOMPARE(plans.size(), std::size_t{3});  // after the last round nobody asks
        plans.push_back(result.plan);
        for (std::size_t s = 1; s < plans.size(); ++s) {
            for (const auto& [layer, row] : plans[s - 1].layers) {
                const auto& now = plans[s].layers.at(layer);
                QVERIFY(std::includes(row.kept.begin(), row.kept.end(), now.kept.begin(),
                                      now.kept.end()));
                QVERIFY(now.forced_out.empty());
            }
        }
        QVERIFY(result.plan.layers !=
                select_experts(m_stats, m_model->config(), options(16)).layers);
        QVERIFY(result.rounds[0].at("remeasured").get<bool>());
        QVERIFY(!result.rounds[3].at("remeasured").get<bool>());
    }

    void a_recovery_is_called_for_each_round() {
        static std::vector<std::int64_t> rounds;
        class Counted : public RecoveryStep {
            RecoveryResult recover(const RecoveryRequest& request) override {
                rounds.push_back(request.round);
                return {.model = {}, .metrics = {{"tokens", 7}}};
            }
        };
        register_recovery("counted", [] { return std::make_unique<Counted>(); });
        const QTemporaryDir folder;
        Watcher watcher;
        const ProgressiveResult result =
            prune_in_rounds(input(folder, watcher, {.path = {.rounds = 2}, .recovery = "counted"}));
        QCOMPARE(rounds, (Numbers{1, 2}));
        QCOMPARE(result.rounds[1].at("recovery").at("tokens"), 7);
    }

    // Weights that a recovery left are tried, cut and held to the original from then on.
    void rounds_go_on_from_what_a_recovery_made() {
        class Other : public RecoveryStep {
            RecoveryResult recover(const RecoveryRequest& request) override {
                if (request.round > 1) return {};
                const fs::path model = request.folder / "model";
                fs::copy(request.model.path(), model);
                silence(model / "model.safetensors");
                return {.model = model, .metrics = {}};
            }
        };
        register_recovery("other", [] { return std::make_unique<Other>(); });
        const QTemporaryDir folder;
        Watcher watcher;
        const RoundSchedule schedule{.path = {.rounds = 3}, .recovery = "other"};
        const ProgressiveInput in = input(folder, watcher, schedule, 256);
        const ProgressiveResult result = prune_in_rounds(in);
        QCOMPARE(result.model, in.folder / "01" / "model");
        // The first round's trial was of the original.
        const auto vocab = static_cast<double>(m_model->config().vocab_size);
        QVERIFY(result.rounds[0].at("perplexity") < vocab / 4);
        QVERIFY(result.rounds[0].at("kl_after_recovery") > 2 * watcher.kl[0]);
        QVERIFY(std::abs(result.rounds[1].at("perplexity").get<double>() / vocab - 1) < 1e-3);
        QVERIFY(result.rounds[1].at("kl") > 2 * watcher.kl[0]);
        QVERIFY(!result.rounds[1].contains("kl_after_recovery"));
        // A call that was cut short goes on from there.
        fs::remove_all(in.folder / "03");
        Watcher again;
        const ProgressiveResult resumed = prune_in_rounds(input(folder, again, schedule, 256));
        QCOMPARE(resumed.rounds, result.rounds);
        QCOMPARE(resumed.model, result.model);
    }

    void what_cannot_be_is_refused_before_work() {
        const auto message = [](const PruneConfig& config) {
            const auto error = error_of([&] { validate(config); });
            return error ? std::string(error->what()) + error->hint() : std::string();
        };
        PruneConfig config;
        config.progressive = true;
        QVERIFY(message(config).empty());
        config.recovery = "distill";
        QVERIFY(message(config).find("none") != std::string::npos);
        config.recovery = "none";
        config.criterion = "auto";
        QVERIFY(message(config).empty());
        config.criterion = "mone";
        config.native = true;
        QVERIFY(message(config).find("mone") != std::string::npos);
        config.native = false;
        config.criterion = "reap";
        config.step = 0;
        QVERIFY(!message(config).empty());
        config.step = 0.05;
        config.merge = "ream";
        QVERIFY(message(config).find("merged experts") != std::string::npos);
        PruneConfig alone;
        alone.recovery = "distill";
        QVERIFY(!message(alone).empty());

        const QTemporaryDir folder;
        Watcher watcher;
        QVERIFY_THROWS_EXCEPTION(
            Error,
            prune_in_rounds(input(folder, watcher, {.path = {.rounds = 2}, .remeasure = 1})));
        ProgressiveInput merging = input(folder, watcher, {.path = {.rounds = 2}});
        merging.options.merge = "ream";
        QVERIFY_THROWS_EXCEPTION(Error, prune_in_rounds(merging));
        QVERIFY(!fs::exists(merging.folder));
    }
};

QTEST_APPLESS_MAIN(TestProgressivePrune)
#include "tst_progressive_prune.moc"
