#include <fmt/format.h>
#include <string>
#include <vector>

#include "app/cli/commands.h"
#include "app/cli/find_model.h"
#include "app/cli/token_ids.h"
#include "base/error.h"
#include "infer/native_model.h"
#include "pipeline/output_place.h"
#include "pipeline/torch_services.h"
#include "routing/forward_trace.h"

namespace espalier::cli {
namespace {

struct TraceOptions {
    std::string model;
    std::string ids;
    std::string engine = "native";
    std::string expert_plan;
    std::string out;
};

/// [[ids of row 0], …], rows of equal length.
std::vector<std::vector<std::int32_t>> read_ids(const std::string& file) {
    const Json json = read_json_file(file);
    if (!json.is_array()) {
        throw Error(ErrorCode::DataLine, fmt::format("{} is not a list of rows of ids.", file),
                    "Write [[1, 2, 3], [4, 5, 6]].");
    }
    std::vector<std::vector<std::int32_t>> rows;
    for (const Json& row : json) {
        rows.push_back(
            token_ids_from_json(row, fmt::format("row {} of {}", rows.size() + 1, file)));
    }
    for (const auto& row : rows) {
        if (row.empty() || row.size() != rows.front().size()) {
            throw Error(ErrorCode::DataLine, fmt::format("The rows of {} differ in length.", file),
                        "Give every row the same number of ids.");
        }
    }
    if (rows.empty())
        throw Error(ErrorCode::DataEmpty, fmt::format("{} has no rows.", file), "Add ids.");
    return rows;
}

void trace_native(const ModelSource& source, const std::vector<std::vector<std::int32_t>>& rows,
                  const ExpertMask& mask, ForwardTrace& trace, const Session& session) {
    ThreadPool pool(session.num_threads);
    NativeModel model(source, pool);
    model.set_mask(mask);
    for (const auto& row : rows) {
        KvCache cache(source.config(), static_cast<std::int64_t>(row.size()));
        model.forward(row, cache, LogitsFor::AllTokens, &trace, session.stop);
    }
}

std::optional<Json> run_trace(const TraceOptions& options, const Session& session) {
    const Measure measure;
    const auto source = open_model(options.model);
    require_apart(options.out, {source->path(), options.ids, options.expert_plan});
    const auto rows = read_ids(options.ids);
    const ExpertMask mask = mask_of(options.expert_plan, source->config());
    ForwardTrace trace(rows);
    if (options.engine == "torch") {
        torch_services().trace(*source, rows, mask, trace, session.stop);
    } else {
        trace_native(*source, rows, mask, trace, session);
    }
    trace.save(options.out);
    if (!session.json) fmt::print("{}\n", options.out);
    return measure.result(options.out, {{"rows", rows.size()}, {"tokens", rows.front().size()}});
}

}  // namespace

void add_trace(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<TraceOptions>();
    auto* command =
        app.add_subcommand("trace", "Logits, hidden states and routing of a forward pass");
    command->add_option("MODEL", options->model, "Hub folder, .gguf or library name")->required();
    command->add_option("--ids", options->ids, "JSON [[ids of row 0], …], rows of equal length")
        ->required();
    command->add_option("--engine", options->engine, "Which execution")
        ->check(CLI::IsMember({"native", "torch"}))
        ->capture_default_str();
    command->add_option("--expert-plan", options->expert_plan,
                        "Runs as if the plan's experts were gone");
    command->add_option("--out", options->out, "The .safetensors file")->required();
    does(*command, chosen, options, run_trace);
}

}  // namespace espalier::cli
