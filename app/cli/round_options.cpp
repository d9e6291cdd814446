#include "app/cli/round_options.h"

#include <algorithm>
#include <array>

#include "app/cli/progress_line.h"
#include "pipeline/measured_selection.h"
#include "pipeline/remeasure.h"
#include "pipeline/stats_for_model.h"

namespace espalier::cli {
namespace {

constexpr std::array kNames{"--rounds", "--step", "--max-kl", "--remeasure", "--recovery"};

}  // namespace

void RoundOptions::add_to(CLI::App& command) {
    command_ = &command;
    command
        .add_option("--rounds", schedule.path.rounds,
                    "Removes experts in so many rounds, each measured on --data or --probe before "
                    "it stands; OUT.rounds/ keeps every round's plan")
        ->check(CLI::PositiveNumber);
    command
        .add_option("--step", schedule.path.step,
                    "Instead of --rounds: largest share of the experts that one round removes")
        ->capture_default_str();
    command
        .add_option("--max-kl", schedule.max_kl,
                    "Rounds end where the KL divergence from the whole model would pass this")
        ->check(CLI::NonNegativeNumber);
    command
        .add_option("--remeasure", schedule.remeasure,
                    "Calibrates again on --data after every so many rounds")
        ->check(CLI::NonNegativeNumber);
    command
        .add_option("--recovery", schedule.recovery, "What brings the model back between rounds")
        ->capture_default_str();
}

bool RoundOptions::is_asked() const {
    return std::any_of(kNames.begin(), kNames.end(),
                       [&](const char* name) { return command_->count(name) > 0; });
}

ProgressiveResult RoundOptions::run(const SelectionOptions& selection, const ModelSource& model,
                                    const std::filesystem::path& folder,
                                    const Session& session) const {
    const SelectOptions options = selection.read();
    validate(schedule, options.criterion, options.merge);
    const ExpertStats stats =
        load_stats_for_model(selection.stats, model, reads_vectors(options.criterion));
    RemeasureRequest again{.stats = stats,
                           .data = {},
                           .probe_file = selection.search.probe,
                           .num_threads = session.num_threads,
                           .memory_budget = session.memory_budget};
    for (const std::string& text : selection.search.data) {
        again.data.push_back(parse_data_source(text));
    }
    ThreadPool pool(session.num_threads);
    TerminalObserver observer;
    ProgressiveInput input{.model = model,
                           .stats = stats,
                           .options = options,
                           .schedule = schedule,
                           .probe = selection.probe_windows(model),
                           .folder = folder,
                           .pool = pool,
                           .observer = observer};
    if (options.criterion == kMeasuredSelection) {
        input.search = RoundSearch{.windows = selection.search_windows(model),
                                   .seconds = selection.search.seconds,
                                   .max_tries = selection.search.tries};
    }
    if (!again.data.empty()) input.remeasure = remeasure_as_before(std::move(again), session.stop);
    return prune_in_rounds(input, session.stop);
}

}  // namespace espalier::cli
