#include <fmt/format.h>
#include <string>
#include <vector>

#include "app/cli/commands.h"
#include "app/cli/find_model.h"
#include "app/cli/progress_line.h"
#include "base/error.h"
#include "base/size_text.h"
#include "pipeline/calibrate_sinks.h"
#include "pipeline/output_place.h"
#include "pipeline/run_calibration.h"
#include "routing/stat_choice.h"

namespace espalier::cli {
namespace {

struct CalibrateOptions {
    std::string model;
    std::vector<std::string> data;
    std::string shard;
    double stable_share = 0;
    OwnTextOptions own_text;
    CalibrateRequest request;
};

/// "2/8" is the second of eight.
void parse_shard(const std::string& text, CalibrateRequest& request) {
    const auto slash = text.find('/');
    try {
        if (slash == std::string::npos) throw std::invalid_argument(text);
        request.shard_index = std::stoll(text.substr(0, slash)) - 1;
        request.shard_count = std::stoll(text.substr(slash + 1));
    } catch (const std::logic_error&) {
        request.shard_index = -1;
    }
    if (request.shard_index < 0 || request.shard_index >= request.shard_count) {
        throw Error(ErrorCode::UsageInvalid, fmt::format("\"{}\" is not a shard.", text),
                    "Write I/N with I from 1 to N, e.g. --shard 2/8.");
    }
}

std::string named_probe(const CalibrateRequest& request) {
    return request.probe == "none" ? std::string() : request.probe;
}

std::optional<Json> calibrate(const CalibrateOptions& options, const Session& session) {
    CalibrateRequest request = options.request;
    request.model = model_path(options.model);
    for (const std::string& text : options.data) request.data.push_back(parse_data_source(text));
    if (request.data.empty() == request.ids.empty()) {
        throw Error(ErrorCode::UsageInvalid, "Calibration needs either --data or --ids.",
                    "Name texts with --data [TASK=]FILE, or token ids with --ids FILE.");
    }
    require_apart(request.out, {request.model, request.ids, named_probe(request)});
    for (const DataSource& source : request.data) {
        require_apart(request.out, {source.path});
        if (options.own_text.share > 0) {
            require_apart(own_text_file(request.out), {source.path});
        }
    }
    if (!options.shard.empty()) parse_shard(options.shard, request);
    request.num_threads = session.num_threads;
    request.memory_budget = session.memory_budget;
    TerminalObserver observer;
    const CalibrateSinks sinks = report_calibration(observer, request.criterion);
    const CalibrateResult result = run_calibration(
        {.request = request, .stable_share = options.stable_share, .own_text = options.own_text},
        sinks, session.stop);
    if (!session.json) {
        fmt::print("{}\n{:.1f} s, peak memory {}\n", result.out.string(), result.seconds,
                   memory_text(result.peak_bytes));
    }
    return Json{{"out", result.out.string()},
                {"seconds", result.seconds},
                {"peak_bytes", result.peak_bytes},
                {"metrics", result.metrics}};
}

}  // namespace

void add_calibrate(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<CalibrateOptions>();
    CalibrateRequest& request = options->request;
    auto* command =
        app.add_subcommand("calibrate", "Routing statistics and saliencies of a model on texts");
    command->add_option("MODEL", options->model, "Hub folder, .gguf or library name")->required();
    command->add_option("--data", options->data, "[TASK=]FILE of .txt or JSONL; may be repeated");
    command->add_option("--ids", request.ids, "JSON [[ids of a window], …] instead of --data");
    command
        ->add_option("--tokens", request.max_tokens, "Token budget over all data (0 = everything)")
        ->check(CLI::NonNegativeNumber);
    command->add_option("--context", request.context, "Tokens a window")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command->add_option("--probe", request.probe,
                        "Probe set, or `none`; else a tenth of the documents is kept out");
    command->add_option("--hidden-dtype", request.hidden_dtype, "Of the states between layers")
        ->check(CLI::IsMember({"auto", "F32", "BF16"}))
        ->capture_default_str();
    command
        ->add_option("--compute-dtype", request.compute_dtype,
                     "What layers compute with; auto: BF16 for experts that are stored so")
        ->check(CLI::IsMember({"auto", "F32", "BF16"}))
        ->capture_default_str();
    std::string stats = "Beside the cheap ones, with commas between: all,";
    for (const OptionalStatRow& row : optional_stats()) {
        if (!row.is_default) stats += fmt::format(" {},", row.name);
    }
    command->add_option("--stats", request.stats, stats + " or basic: no optional ones but those");
    command
        ->add_option("--stable-share", options->stable_share,
                     "Ends early once the experts that REAP would keep at this share stay the same "
                     "when the data doubles, e.g. 0.5")
        ->check(CLI::Range(0.0, 1.0));
    command
        ->add_option("--own-text", options->own_text.share,
                     "Share of the tokens that the model writes itself, going on from the texts: "
                     "they are routed as its answers are")
        ->check(CLI::Range(0.0, 0.5));
    command
        ->add_option("--own-text-seconds", options->own_text.seconds,
                     "Time for that, at most; 0 = a tenth of what calibration should take")
        ->check(CLI::NonNegativeNumber);
    command->add_option("--shard", options->shard,
                        "I/N: only this part of the windows; join with merge-stats");
    command->add_option("--out", request.out, "The statistics file")->required();
    does(*command, chosen, options, calibrate);
}

}  // namespace espalier::cli
