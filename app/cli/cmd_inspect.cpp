#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/cli/commands.h"
#include "app/cli/find_model.h"
#include "base/memory.h"
#include "base/size_text.h"
#include "model/model_report.h"

namespace espalier::cli {
namespace {

struct InspectOptions {
    std::string model;
    bool lists_tensors = false;
};

std::string number_or_dash(const std::optional<std::int64_t>& value) {
    return value ? fmt::format("{}", *value) : "–";
}

/// What weights of this many bits would take here, and whether memory has room for that.
void print_fit(const ModelReport& report) {
    const std::uint64_t available = machine_memory().available_bytes;
    fmt::print("memory here     {} free\n", memory_text(available));
    for (const auto& [label, bits] :
         {std::pair{"16 bits a weight", 16.0}, std::pair{"8.5 (Q8_0)", 8.5},
          std::pair{"4.9 (Q4_K_M)", 4.9}}) {
        const auto bytes =
            static_cast<std::uint64_t>(static_cast<double>(report.total_parameters) * bits / 8);
        fmt::print("  {:<18}{:>10}  {}\n", label, memory_text(bytes),
                   bytes < available * 9 / 10 ? "fits"
                   : bytes < available        ? "tight"
                                              : "does not fit");
    }
}

void print_report(const ModelReport& report, bool lists_tensors) {
    if (!report.family.empty()) fmt::print("family          {}\n", report.family);
    if (report.layers) {
        fmt::print("layers          {}, hidden size {}\n", *report.layers,
                   number_or_dash(report.hidden_size));
        fmt::print("experts         {} a layer, {} a token, {} shared\n",
                   number_or_dash(report.experts), number_or_dash(report.experts_per_token),
                   number_or_dash(report.shared_experts));
        if (!report.experts_by_layer.empty()) {
            fmt::print("native          experts by layer: {}; {} constants in all\n",
                       fmt::join(report.experts_by_layer, " "), report.constants);
        }
        fmt::print("context         {} tokens\n", number_or_dash(report.context_length));
    }
    fmt::print("parameters      {:.1f} M", static_cast<double>(report.total_parameters) / 1e6);
    if (report.active_parameters) {
        fmt::print(", {:.1f} M active", static_cast<double>(*report.active_parameters) / 1e6);
    }
    fmt::print("\nsize            {} in {} tensors\n", size_text(report.bytes),
               report.tensors.size());
    for (const auto& [type, bytes] : report.bytes_by_type) {
        fmt::print("  {:<12}{:>12}\n", type, size_text(bytes));
    }
    if (!report.extra_tensors.empty()) {
        fmt::print("left aside      {} tensors that text does not pass through, from {} to {}\n",
                   report.extra_tensors.size(), report.extra_tensors.front(),
                   report.extra_tensors.back());
    }
    if (!report.problem.empty()) fmt::print("note            {}\n", report.problem);
    if (report.layers) print_fit(report);
    if (!lists_tensors) return;
    for (const auto& tensor : report.tensors) {
        fmt::print("{:<56} {:<8} {:<22} {:>12}\n", tensor.name, tensor.type,
                   shape_text(tensor.shape), size_text(tensor.bytes));
    }
}

std::optional<Json> inspect(const InspectOptions& options, const Session& session) {
    const ModelReport report = report_on(model_path(options.model));
    if (!session.json) print_report(report, options.lists_tensors);
    return to_json(report);
}

}  // namespace

void add_inspect(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<InspectOptions>();
    auto* command =
        app.add_subcommand("inspect", "What is in a model, or in a .safetensors or .gguf file");
    command->add_option("MODEL", options->model, "Hub folder, .gguf, .safetensors or library name")
        ->required();
    command->add_flag("--tensors", options->lists_tensors, "List every tensor");
    does(*command, chosen, options, inspect);
}

}  // namespace espalier::cli
