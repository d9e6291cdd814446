#include <fmt/format.h>
#include <optional>
#include <string>

#include "app/cli/commands.h"
#include "app/cli/find_model.h"
#include "app/cli/progress_line.h"
#include "app/cli/write_model.h"
#include "base/log.h"
#include "base/size_text.h"
#include "model/parameter_counts.h"
#include "pipeline/stats_for_model.h"

namespace espalier::cli {

QuantReport write_gguf_file(const ModelSource& model, const std::string& type,
                            const ExpertStats* importance, const std::filesystem::path& out,
                            const Session& session) {
    const QuantPlan plan =
        plan_quantization(model.config(), type, {.has_importance = importance != nullptr});
    ThreadPool pool(session.num_threads);
    ProgressLine line;
    const auto progress = [&](std::uint64_t done, std::uint64_t total, std::string_view tensor) {
        line.show(static_cast<double>(done) / static_cast<double>(total), tensor);
    };
    QuantReport report = write_gguf({.model = model,
                                     .plan = plan,
                                     .importance = importance,
                                     .out = out,
                                     .pool = pool,
                                     .progress = progress,
                                     .stop = session.stop});
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
    std::optional<ExpertStats> stats;
    if (!options.stats.empty()) stats = load_stats_for_model(options.stats, *model, true);
    const QuantReport report =
        write_gguf_file(*model, options.type, stats ? &*stats : nullptr, options.out, session);
    const double weights = static_cast<double>(count_parameters(model->config()).total);
    const double bits = 8.0 * static_cast<double>(report.bytes) / weights;
    if (!session.json) {
        fmt::print("{}: {}, {:.2f} bits a weight, relative error {:.4f}\n", options.out,
                   size_text(report.bytes), bits, report.weighted_rel_rmse);
    }
    return measure.result(options.out, {{"bytes", report.bytes},
                                        {"bits_per_weight", bits},
                                        {"weighted_rel_rmse", report.weighted_rel_rmse},
                                        {"bytes_by_type", report.bytes_by_type},
                                        {"fallbacks", report.fallbacks}});
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
