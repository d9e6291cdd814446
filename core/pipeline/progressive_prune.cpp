#include "pipeline/progressive_prune.h"

#include <algorithm>
#include <cstddef>
#include <fmt/format.h>
#include <span>
#include <utility>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"
#include "base/file_hash.h"
#include "base/log.h"
#include "eval/mask_probe.h"
#include "pipeline/measured_selection.h"
#include "pipeline/recovery_step.h"
#include "pipeline/report_layers.h"
#include "pipeline/stage_routing.h"
#include "prune/expert_sets.h"
#include "prune/explain_plan.h"
#include "routing/criterion.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

constexpr const char* kLowTaskMass = "low_task_mass";

Error refused(const std::string& what, const std::string& hint) {
    return {ErrorCode::RunRecipe, "Pruning in rounds: " + what, hint};
}

/// A choice and what it costs.
struct Trial {
    ExpertPlan plan;
    MaskMeasurement cost;
    std::string violation;  ///< empty: within the limits
};

class Rounds {
public:
    Rounds(const ProgressiveInput& input, std::stop_token stop)
        : input_(input),
          stop_(std::move(stop)),
          router_(input.model.config().router),
          stats_(input.stats),
          recovery_(make_recovery(input.schedule.recovery)),
          native_(input.model, input.pool),
          probe_(std::make_unique<MaskProbe>(native_, input.probe, MaskProbeOptions(), stop_)),
          target_(input.options.keep.kept_of(router_.num_experts)),
          path_(round_path(router_, target_, input.schedule.path)),
          kept_(router_.num_experts) {}

    ProgressiveResult run() {
        check_identity();
        while (has_finished_round()) take_finished_round();
        while (kept_ > target_ && !result_.floor) do_round();
        if (result_.rounds.empty() && result_.floor) {
            throw refused("the limits allow no expert at all to go.",
                          "Raise --max-kl, or accept low_task_mass.");
        }
        if (result_.rounds.empty()) result_.plan = aim();
        return std::move(result_);
    }

private:
    fs::path round_folder(std::size_t round) const {
        return input_.folder / fmt::format("{:02}", round);
    }
    std::size_t next_round() const { return result_.rounds.size() + 1; }
    bool has_finished_round() const {
        return fs::exists(round_folder(next_round()) / "round.json");
    }

    std::string probe_hash() const {
        Sha256 hash;
        for (const auto& window : input_.probe.windows)
            hash.update(std::as_bytes(std::span(window)));
        return hash.hex();
    }

    /// Rounds that lie there must be of this very schedule. Where one cut would end says all of how
    /// experts are chosen, and whether that can be met.
    void check_identity() const {
        Json accept = input_.options.accept;
        const Json identity{{"model_hash", input_.model.hash()},
                            {"stats_hash", input_.stats.file_hash},
                            {"criterion", input_.options.criterion},
                            {"target", target_},
                            {"path", path_},
                            {"max_kl", input_.schedule.max_kl},
                            {"remeasure", input_.schedule.remeasure},
                            {"recovery", input_.schedule.recovery},
                            {"routing_tokens", input_.schedule.routing_tokens},
                            {"probe_hash", probe_hash()},
                            {"aim_hash", sha256_of_text(to_json(aim()).dump())},
                            {"accept", std::move(accept)}};
        const fs::path file = input_.folder / "schedule.json";
        fs::create_directories(input_.folder);
        if (!fs::exists(file)) return write_json_file(file, identity);
        if (read_json_file(file) == identity) return;
        throw Error(ErrorCode::FileExists,
                    fmt::format("{} holds the rounds of another schedule.", input_.folder.string()),
                    "Choose another output, or delete the folder.");
    }

    void take_finished_round() {
        const fs::path folder = round_folder(next_round());
        const Json round = read_json_file(folder / "round.json");
        result_.plan = load_expert_plan(folder / "plan.json");
        kept_ = round.at("experts").get<std::int64_t>();
        go_on_from(round.at("model").get<std::string>());
        if (round.at("remeasured").get<bool>()) {
            stats_ = load_expert_stats(folder / "stats.safetensors", true);
        }
        result_.rounds.push_back(round);
        log("prune").info("round {} was done before: {} experts", result_.rounds.size(), kept_);
    }

    /// Masks are tried on recovered weights from now on, and held to the original still.
    void go_on_from(const fs::path& model) {
        if (model == result_.model) return;
        result_.model = model;
        native_.set_mask({});
        probe_.reset();  // looks at what is replaced
        recovered_native_.reset();
        recovered_ = ModelSource::open(model);
        recovered_native_ = std::make_unique<NativeModel>(*recovered_, input_.pool);
        probe_ = std::make_unique<MaskProbe>(*recovered_native_, input_.probe,
                                             MaskProbeOptions{.whole = &native_}, stop_);
    }
    /// What is cut and recovered: the input, or what the last recovery made of it.
    const ModelSource& model() const { return recovered_ ? *recovered_ : input_.model; }

    /// The next number of the path below what is kept.
    std::int64_t next_number() const {
        const auto found =
            std::find_if(path_.begin(), path_.end(), [&](std::int64_t n) { return n < kept_; });
        return found == path_.end() ? target_ : *found;
    }

    void do_round() {
        Json tried = Json::array();
        std::int64_t wanted = next_number();
        tell(fmt::format("round {}: {} experts", next_round(), wanted));
        Trial trial = attempt(wanted);
        while (!trial.violation.empty()) {
            tried.push_back(
                {{"experts", wanted}, {"kl", trial.cost.all.kl}, {"reason", trial.violation}});
            wanted = halved_step(router_, kept_, wanted);
            if (wanted == kept_) {
                result_.floor = kept_;
                log("prune").warn("the limits end the rounds at {} experts a layer, short of {}",
                                  kept_, target_);
                return;
            }
            tell(fmt::format("round {}: {} experts, a smaller step", next_round(), wanted));
            trial = attempt(wanted);
        }
        finish_round(std::move(trial), wanted, std::move(tried));
    }

    Trial attempt(std::int64_t wanted) {
        throw_if_stopped(stop_);
        Trial trial{
            .plan = is_search() ? search(wanted) : select(wanted), .cost = {}, .violation = {}};
        trial.cost = probe_->measure(trial.plan.mask(input_.model.config()), stop_);
        const double limit = input_.schedule.max_kl;
        const auto& accept = input_.options.accept;
        const bool takes_loss =
            std::find(accept.begin(), accept.end(), kLowTaskMass) != accept.end();
        if (limit > 0 && trial.cost.all.kl > limit) {
            trial.violation = "max_kl";
        } else if (!takes_loss) {
            for (const auto& [task, share] : task_mass_kept(input_.stats, trial.plan)) {
                if (share < kLowestTaskMass) trial.violation = kLowTaskMass;
            }
        }
        return trial;
    }

    bool is_search() const { return input_.options.criterion == kMeasuredSelection; }

    SelectOptions options_for(std::int64_t wanted) const {
        SelectOptions options = input_.options;
        options.keep = {.ratio = std::nullopt, .experts = wanted};
        return options;
    }

    /// Where one cut would end, by a criterion.
    ExpertPlan aim() const {
        SelectOptions options = options_for(target_);
        if (is_search()) options.criterion = SelectOptions().criterion;
        return select_experts(stats_, input_.model.config(), options);
    }

    /// Those that went before may not come back.
    void leave_out_what_went(SelectOptions& options) const {
        for (const auto& [layer, before] : result_.plan.layers) {
            options.wishes[layer].forced_out =
                removed_experts(before.kept, static_cast<std::size_t>(router_.num_experts));
        }
    }
    /// What the user asked for, no more.
    ExpertPlan with_own_wishes(ExpertPlan plan) const {
        for (auto& [layer, row] : plan.layers) {
            const auto wish = input_.options.wishes.find(layer);
            row.forced_out = wish == input_.options.wishes.end() ? std::vector<std::int32_t>{}
                                                                 : wish->second.forced_out;
        }
        return plan;
    }

    ExpertPlan search(std::int64_t wanted) {
        SelectOptions options = options_for(wanted);
        leave_out_what_went(options);
        const RoundSearch& search = *input_.search;
        const std::string round = fmt::format("round {}: ", next_round());
        return with_own_wishes(select_by_measurement(
            {.model = model(),
             .stats = stats_,
             .options = std::move(options),
             .windows = search.windows,
             .seconds = search.seconds / static_cast<double>(path_.size()),
             .max_tries = search.max_tries,
             .pool = input_.pool,
             .progress = [&](double, const std::string& now) { tell(round + now); }},
            stop_));
    }

    /// The choice among what is left. Where the statistics are those of the round before, the
    /// choice among all experts is nearly always that already.
    ExpertPlan select(std::int64_t wanted) const {
        const MoeConfig& config = input_.model.config();
        SelectOptions options = options_for(wanted);
        ExpertPlan plan = select_experts(stats_, config, options);
        if (!brings_back(plan)) return plan;
        leave_out_what_went(options);
        return with_own_wishes(select_experts(stats_, config, options));
    }

    bool brings_back(const ExpertPlan& plan) const {
        return std::any_of(
            result_.plan.layers.begin(), result_.plan.layers.end(), [&](const auto& before) {
                const auto& now = plan.layers.at(before.first).kept;
                const auto& old = before.second.kept;
                return !std::includes(old.begin(), old.end(), now.begin(), now.end());
            });
    }

    /// Recovers, measures anew if it is time to, and records the round: round.json comes last.
    void finish_round(Trial trial, std::int64_t experts, Json tried) {
        const std::size_t round = next_round();
        const fs::path folder = round_folder(round);
        fs::create_directories(folder);
        save_expert_plan(trial.plan, folder / "plan.json");
        const RecoveryResult recovered = recover(trial.plan, round, folder);
        if (!recovered.model.empty()) go_on_from(recovered.model);
        const auto every = static_cast<std::size_t>(input_.schedule.remeasure);
        const bool remeasures = every > 0 && round % every == 0 && experts > target_;
        if (remeasures) {
            tell(fmt::format("round {}: measuring anew", round));
            stats_ = input_.remeasure(model().path(), trial.plan, folder / "stats.safetensors");
        }
        Json json = round_json(trial, experts, std::move(tried));
        json["remeasured"] = remeasures;
        json["recovery"] = recovered.metrics;
        json["model"] = result_.model.string();
        add_routing(trial.plan, !recovered.model.empty(), json);
        write_json_file(folder / "round.json", json);
        kept_ = experts;
        result_.plan = std::move(trial.plan);
        result_.rounds.push_back(std::move(json));
        report(trial.cost.all.kl);
    }

    /// What the round leaves, as it would be written now, against the original.
    void add_routing(const ExpertPlan& plan, bool was_recovered, Json& json) {
        if (input_.schedule.routing_tokens == 0) return;
        tell(fmt::format("round {}: comparing the routing with the original's", next_round()));
        const Json measured = evaluate_masked({.original = input_.model,
                                               .model = model(),
                                               .mask = plan.mask(input_.model.config()),
                                               .probe = input_.probe,
                                               .tokens = input_.schedule.routing_tokens,
                                               .pool = input_.pool},
                                              stop_);
        json["routing"] = routing_figures(measured.at("routing"));
        if (was_recovered) json["kl_after_recovery"] = measured.at("kl").at("mean");
    }

    RecoveryResult recover(const ExpertPlan& plan, std::size_t round, const fs::path& folder) {
        return recovery_->recover({.original = input_.model,
                                   .model = model(),
                                   .plan = plan,
                                   .round = static_cast<std::int64_t>(round),
                                   .folder = folder,
                                   .observer = input_.observer,
                                   .stop = stop_});
    }

    Json round_json(const Trial& trial, std::int64_t experts, Json tried) const {
        Json tasks = Json::object();
        for (std::size_t i = 0; i < trial.cost.tasks.size(); ++i) {
            tasks[probe_->tasks().at(i)] = trial.cost.tasks[i].kl;
        }
        return {{"round", next_round()},
                {"experts", experts},
                {"kl", trial.cost.all.kl},
                {"top1", trial.cost.all.top1},
                {"perplexity", trial.cost.all.perplexity},
                {"tasks", std::move(tasks)},
                {"task_mass", task_mass_kept(input_.stats, trial.plan)},
                {"refused", std::move(tried)}};
    }

    void report(double kl) {
        input_.observer.on_event(MetricMeasured{"rounds.experts", static_cast<double>(kept_)});
        input_.observer.on_event(MetricMeasured{"rounds.kl", kl});
        const Json routing = result_.rounds.back().value("routing", Json::object());
        if (routing.contains("recall")) {
            input_.observer.on_event(
                MetricMeasured{"rounds.recall", routing.at("recall").get<double>()});
        }
        report_layers(stats_, shown_criterion(result_.plan), &result_.plan, input_.options.seed,
                      input_.observer);
        tell(fmt::format("round {} done: {} experts, KL {:.4f}", result_.rounds.size(), kept_, kl));
    }

    void tell(const std::string& now) const {
        const auto all =
            static_cast<double>(std::max<std::int64_t>(1, router_.num_experts - target_));
        const double share = static_cast<double>(router_.num_experts - kept_) / all;
        input_.observer.on_event(
            StageProgress{input_.stage_index, input_.progress_share * share, now});
    }

    const ProgressiveInput& input_;
    std::stop_token stop_;
    RouterConfig router_;
    ExpertStats stats_;
    std::unique_ptr<RecoveryStep> recovery_;
    NativeModel native_;  ///< the input
    std::unique_ptr<ModelSource> recovered_;
    std::unique_ptr<NativeModel> recovered_native_;
    std::unique_ptr<MaskProbe> probe_;
    std::int64_t target_;
    std::vector<std::int64_t> path_;
    std::int64_t kept_;  ///< experts a layer
    ProgressiveResult result_;
};

}  // namespace

void validate(const RoundSchedule& schedule, std::string_view criterion, std::string_view merge) {
    if (!merge.empty()) {
        throw refused("they are measured as masks, which cannot stand for merged experts.",
                      "Merge in one go, or remove in rounds.");
    }
    if (criterion != kMeasuredSelection && find_criterion(criterion).replaces) {
        throw refused(fmt::format("rounds cannot go by {}.", criterion),
                      "Choose a criterion that ranks experts to remove, such as reap.");
    }
    if (!(schedule.max_kl >= 0) || schedule.remeasure < 0 || schedule.path.rounds < 0 ||
        schedule.routing_tokens < 0 || !(schedule.path.step > 0 && schedule.path.step < 1)) {
        throw refused("a limit, a step or a number of rounds makes no sense.",
                      "Enter a step above 0 and below 1, and no negative numbers.");
    }
    make_recovery(schedule.recovery);
}

ProgressiveResult prune_in_rounds(const ProgressiveInput& input, std::stop_token stop) {
    validate(input.schedule, input.options.criterion, input.options.merge);
    if (input.schedule.remeasure > 0 && !input.remeasure) {
        throw refused("there is no data to measure statistics anew.",
                      "Name what was calibrated on, or leave the statistics as they are.");
    }
    if (input.options.criterion == kMeasuredSelection && !input.search) {
        throw refused("there is no data to search on.", "Name what was calibrated on.");
    }
    return Rounds(input, std::move(stop)).run();
}

}  // namespace espalier
