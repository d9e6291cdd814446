#include <algorithm>
#include <fmt/format.h>
#include <string>
#include <utility>

#include "app/cli/commands.h"
#include "app/cli/find_model.h"
#include "app/cli/progress_line.h"
#include "app/cli/select_options.h"
#include "base/error.h"
#include "pipeline/measured_selection.h"
#include "pipeline/model_metrics.h"
#include "pipeline/output_place.h"
#include "pipeline/probe_windows.h"
#include "pipeline/sequential_selection.h"
#include "pipeline/stats_for_model.h"
#include "prune/channel_plan.h"
#include "routing/criterion.h"

namespace espalier::cli {

void SelectionOptions::add_to(CLI::App& command) {
    command.add_option("--stats", stats, "Statistics that calibrate wrote");
    command.add_option("--keep", keep, "What stays of each layer: a share (0.5) or a number (16)");
    command
        .add_option("--criterion", select.criterion,
                    "How experts are scored; `auto` measures several and improves on the best")
        ->capture_default_str();
    command.add_flag("--compensate", select.compensates_lost_mass,
                     "For models whose gates are probabilities of all experts: takes back, on the "
                     "mean, what they grow by when others go");
    command.add_option("--merge", select.merge,
                       "Experts that go become part of those that stay: ream, hc_smoe, m_smoe or "
                       "partial; needs statistics with `profiles`");
    command.add_option("--sequential", sequential,
                       "Chooses layer by layer, each measured again on --data behind those that "
                       "are cut or merged already, and writes these statistics there");
    command.add_option("--seed", select.seed, "For the criterion `random`")->capture_default_str();
    command.add_flag("--unprotected", protects_nothing,
                     "Super experts and task champions may go too");
    command.add_flag("--protect-outliers", select.protects_outliers,
                     "Experts with extremely large outputs stay in all layers, not in the first "
                     "three quarters alone");
    command.add_option("--accept", select.accept, "Warnings that are taken on, e.g. low_task_mass");
    command.add_option("--scope", scope, "layers: as many in each; across: as many on the mean")
        ->check(CLI::IsMember({"layers", "across"}))
        ->capture_default_str();
    command
        .add_option("--lowest", select.lowest,
                    "With across: the fewest experts that a layer keeps; 0 = a quarter, or with "
                    "auto half as many again as each token is sent to")
        ->check(CLI::NonNegativeNumber);
    command.add_flag("--pad-to-uniform", select.pads_to_uniform,
                     "With across: smaller layers are filled up to the largest one's number");
    command.add_option("--task-weight", task_weights,
                       "TASK=NUMBER with commas between; tasks that are not named weigh nothing");
    command
        .add_option("--task-mix", task_mix,
                    "sum of the tasks' ranks, or max-min: the task that keeps least keeps most")
        ->check(CLI::IsMember({"sum", "max-min"}))
        ->capture_default_str();
    command.add_flag("--reap-diagonal", select.has_reap_diagonal,
                     "For `hope`: the sum of gated norms on the diagonal");
    command.add_option("--lock", locked, "LAYER:EXPERT,… that must stay; may be repeated");
    command.add_option("--remove", forced_out, "LAYER:EXPERT,… that must go; may be repeated");
    command.add_option("--data", search.data,
                       "The texts that were calibrated on: for `auto`, to search on them; for "
                       "rounds, to measure on the tenth that was kept out; for --sequential");
    command.add_option("--probe", search.probe,
                       "A probe set in place of the tenth that was kept out: `auto` checks its "
                       "result on it, rounds are measured on it");
    command
        .add_option("--search-tokens", search.tokens,
                    "For `auto`: tokens to search on; for rounds: tokens to measure on")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command.add_option("--seconds", search.seconds, "For `auto`: time for the search")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command
        .add_option("--tries", search.tries,
                    "For `auto`: most plans tried, so that the result does not depend on the "
                    "machine's speed; 0 = no limit")
        ->check(CLI::NonNegativeNumber);
}

namespace {

ProbeRequest probe_request(const SearchOptions& search) {
    ProbeRequest probe{.data = {}, .file = search.probe, .max_tokens = search.tokens};
    for (const std::string& text : search.data) probe.data.push_back(parse_data_source(text));
    return probe;
}

ExpertPlan choose_by_measurement(const SearchOptions& search, const SelectOptions& options,
                                 const ExpertStats& stats, const ModelSource& model,
                                 const Session& session) {
    ThreadPool pool(session.num_threads);
    ProgressLine line;
    ExpertPlan plan = select_by_measurement(
        {.model = model,
         .stats = stats,
         .options = options,
         .windows = read_search_windows(model, probe_request(search)),
         .seconds = search.seconds,
         .max_tries = search.tries,
         .pool = pool,
         .progress = [&](double share, const std::string& now) { line.show(share, now); }},
        session.stop);
    line.clear();
    return plan;
}

ExpertPlan choose_sequentially(const SelectionOptions& selection, const SelectOptions& options,
                               const ExpertStats& stats, const ModelSource& model,
                               const Session& session) {
    require_apart(selection.sequential, {model.path(), selection.stats});
    ProgressLine line;
    const SequentialInput input{
        .model = model,
        .stats = stats,
        .options = options,
        .data = probe_request(selection.search).data,
        .probe_file = selection.search.probe,
        .out = selection.sequential,
        .num_threads = session.num_threads,
        .memory_budget = session.memory_budget,
        .progress = [&](double share, const std::string& now) { line.show(share, now); }};
    ExpertPlan plan = select_sequentially(input, session.stop).plan;
    line.clear();
    return plan;
}

}  // namespace

SelectOptions SelectionOptions::read() const {
    SelectOptions options = select;
    options.keep = KeepTarget::parse(keep);
    options.scope = parse_scope(scope);
    options.task_mix = parse_task_mix(task_mix);
    options.task_weights = parse_task_weights(task_weights);
    for (const auto& [texts, ids] :
         {std::pair{&locked, &LayerPlan::locked}, {&forced_out, &LayerPlan::forced_out}}) {
        for (const std::string& text : *texts) {
            const auto [layer, experts] = parse_layer_experts(text);
            auto& list = options.wishes[layer].*ids;
            list.insert(list.end(), experts.begin(), experts.end());
            std::sort(list.begin(), list.end());
            list.erase(std::unique(list.begin(), list.end()), list.end());
        }
    }
    if (protects_nothing) {
        options.protects_super_experts = false;
        options.champion_share = 0;
    }
    return options;
}

TokenWindows SelectionOptions::probe_windows(const ModelSource& model) const {
    return read_probe_windows(model, probe_request(search));
}

SearchWindows SelectionOptions::search_windows(const ModelSource& model) const {
    return read_search_windows(model, probe_request(search));
}

ExpertPlan SelectionOptions::choose(const ModelSource& model, const Session& session) const {
    const SelectOptions options = read();
    const bool is_search = options.criterion == kMeasuredSelection;
    if (!sequential.empty()) require_sequential(options);
    if (is_search && options.pads_to_uniform) {
        throw Error(ErrorCode::UsageInvalid,
                    "A search by measuring does not fill smaller layers up.",
                    "Leave --pad-to-uniform away, or --scope too: then all layers keep as many.");
    }
    if (is_search && !options.merge.empty()) {
        throw Error(ErrorCode::UsageInvalid,
                    "A search measures what removing experts does, not what merging them does.",
                    "Leave --merge away, or choose a criterion.");
    }
    const ExpertStats measured = load_stats_for_model(
        stats, model,
        !options.merge.empty() || reads_vectors(options.criterion) || !sequential.empty());
    if (is_search) {
        return choose_by_measurement(search, options, measured, model, session);
    }
    if (!sequential.empty()) return choose_sequentially(*this, options, measured, model, session);
    return select_experts(measured, model.config(), options);
}

namespace {

struct SelectCommand {
    std::string model;
    SelectionOptions selection;
    std::string out;
};

std::optional<Json> select_channel_plan(const SelectCommand& options, const ModelSource& model,
                                        const Session& session) {
    const Measure measure;
    const ExpertStats stats = load_stats_for_model(options.selection.stats, model, true);
    const ChannelPlan plan = select_channels(stats, model.config(),
                                             {.keep = KeepTarget::parse(options.selection.keep),
                                              .multiple = options.selection.channel_multiple});
    save_channel_plan(plan, options.out);
    if (!session.json) {
        fmt::print("{} of {} channels of each expert stay\n", plan.kept, plan.width);
    }
    return measure.result(options.out, plan.reasons);
}

/// ", 3 of them with 9 others merged in"
std::string merged_text(const LayerPlan& plan) {
    std::size_t members = 0;
    for (const auto& group : plan.groups) members += group.size() - 1;
    if (members == 0) return {};
    return fmt::format(", {} of them with {} others merged in", plan.groups.size(), members);
}

std::optional<Json> select(const SelectCommand& options, const Session& session) {
    const Measure measure;
    const auto model = open_model(options.model);
    require_apart(options.out,
                  {model->path(), options.selection.stats, options.selection.sequential});
    if (options.selection.unit == "channels") return select_channel_plan(options, *model, session);
    const ExpertPlan plan = options.selection.choose(*model, session);
    save_expert_plan(plan, options.out);
    log_warnings(plan);
    if (!session.json) {
        for (const auto& [layer, row] : plan.layers) {
            fmt::print("layer {:>3}: {} of {} stay{}\n", layer, row.kept.size(),
                       model->config().router.num_experts, merged_text(row));
        }
    }
    return measure.result(options.out, plan.reasons);
}

}  // namespace

void add_select(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<SelectCommand>();
    auto* command =
        app.add_subcommand("select", "Chooses experts and writes a plan; no weights are touched");
    command->add_option("MODEL", options->model, "Hub folder, .gguf or library name")->required();
    options->selection.add_to(*command);
    command->get_option("--stats")->required();
    command->get_option("--keep")->required();
    command
        ->add_option("--unit", options->selection.unit,
                     "experts, or channels: every expert keeps --keep of its hidden channels")
        ->check(CLI::IsMember({"experts", "channels"}))
        ->capture_default_str();
    command
        ->add_option("--channel-multiple", options->selection.channel_multiple,
                     "For channels: a multiple of this stays; 256 suits K-quants")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command->add_option("--out", options->out, "The expert plan")->required();
    does(*command, chosen, options, select);
}

}  // namespace espalier::cli
