#include <fmt/format.h>
#include <string>

#include "app/cli/commands.h"
#include "app/cli/find_model.h"
#include "app/cli/progress_line.h"
#include "app/cli/write_model.h"
#include "base/size_text.h"
#include "pipeline/output_place.h"
#include "quant/write_hub.h"

namespace espalier::cli {
namespace {

struct ExportOptions {
    std::string model;
    std::string to;
    std::string out;
};

/// The float type that changes no weight of the model: its own.
std::string float_type_of(const ModelSource& model) {
    const auto embedding = model.view({.role = TensorRole::TokenEmbedding});
    const DType dtype = embedding ? embedding->dtype : DType::F32;
    if (dtype == DType::BF16) return "bf16";
    return dtype == DType::F16 ? "f16" : "f32";
}

std::optional<Json> export_model(const ExportOptions& options, const Session& session) {
    const Measure measure;
    const auto model = open_model(options.model);
    require_apart(options.out, {model->path()});
    std::uint64_t bytes = 0;
    if (options.to == "gguf") {
        bytes = write_gguf_file(
                    {.model = *model, .type = float_type_of(*model), .out = options.out}, session)
                    .bytes;
    } else {
        ProgressLine line;
        bytes = write_hub({*model, options.out, line.of_writer(), session.stop});
    }
    if (!session.json) fmt::print("{}: {}\n", options.out, size_text(bytes));
    return measure.result(options.out, {{"bytes", bytes}});
}

}  // namespace

void add_export(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<ExportOptions>();
    auto* command = app.add_subcommand("export", "Another format, the same weights");
    command->add_option("MODEL", options->model, "Hub folder, .gguf or library name")->required();
    command->add_option("--to", options->to, "gguf, or hf for a hub folder")
        ->required()
        ->check(CLI::IsMember({"gguf", "hf"}));
    command->add_option("--out", options->out, "File or folder")->required();
    does(*command, chosen, options, export_model);
}

}  // namespace espalier::cli
