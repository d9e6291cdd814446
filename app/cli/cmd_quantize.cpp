#include <fmt/format.h>
#include <optional>
#include <string>

#include "app/cli/commands.h"
#include "app/cli/find_model.h"
#include "app/cli/progress_line.h"
#include "app/cli/write_model.h"
#include "base/log.h"
#include "base/size_text.h"
#include "pipeline/model_metrics.h"
#include "pipeline/output_place.h"
#include "pipeline/stats_for_model.h"

namespace espalier::cli {

QuantReport write_gguf_file(const ModelWrite& write, const Session& session) {
    const QuantPlan plan = plan_quantization(write.model.config(), write.type,
                                             {.has_importance = write.importance != nullptr});
    ThreadPool pool(session.num_threads);
    ProgressLine line;
    QuantReport report = write_gguf({.model = write.model,
                                     .plan = plan,
                                     .importance = write.importance,
                                     .out = write.out,
                                     .pool = pool,
                                     .progress = line.of_writer(),
                                     .stop = session.stop,
                                     .lineage = write.lineage});
    line.clear();
    for (const std::string& fallback : report.fallbacks) log("quant").debug("{}", fallback);
    return report;
}

namespace {

struct QuantizeOptions {
    std::string model;
    std::string type = "q4_k_m";
    std::string stats;
    std::string out;
};

std::optional<Json> quantize(const QuantizeOptions& options, const Session& session) {
    const Measure measure;
    const auto model = open_model(options.model);
    require_apart(options.out, {model->path(), options.stats});
    std::optional<ExpertStats> stats;
    if (!options.stats.empty()) stats = load_stats_for_model(options.stats, *model, true);
    const Json config = {{"type", options.type}, {"uses_stats", stats.has_value()}};
    const QuantReport report =
        write_gguf_file({.model = *model,
                         .type = options.type,
                         .out = options.out,
                         .importance = stats ? &*stats : nullptr,
                         .lineage = {{"stage", "quantize"}, {"config", config}}},
                        session);
    Json metrics = metrics_of(report, model->config());
    if (!session.json) {
        fmt::print("{}: {}, {:.2f} bits a weight, relative error {:.4f}\n", options.out,
                   size_text(report.bytes), metrics.at("bits_per_weight").get<double>(),
                   report.weighted_rel_rmse);
    }
    return measure.result(options.out, std::move(metrics));
}

}  // namespace

void add_quantize(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<QuantizeOptions>();
    auto* command = app.add_subcommand("quantize", "One GGUF file of fewer bits a weight");
    command->add_option("MODEL", options->model, "Hub folder, .gguf or library name")->required();
    command->add_option("--type", options->type, "File type")
        ->check(CLI::IsMember(known_file_types()))
        ->capture_default_str();
    command->add_option("--stats", options->stats,
                        "Statistics: precision goes to the columns that are used most");
    command->add_option("--out", options->out, "The .gguf file")->required();
    does(*command, chosen, options, quantize);
}

}  // namespace espalier::cli
