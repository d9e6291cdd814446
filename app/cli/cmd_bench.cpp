#include <chrono>
#include <fmt/format.h>
#include <string>

#include "app/cli/commands.h"
#include "app/cli/find_model.h"
#include "base/memory.h"
#include "infer/benchmark.h"

namespace espalier::cli {
namespace {

struct BenchCommand {
    std::string model;
    std::string expert_plan;
    bool exact = false;
    BenchOptions bench;
};

Json to_json(const Spread& spread) {
    return {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}};
}

std::optional<Json> bench(const BenchCommand& options, const Session& session) {
    const Measure load;
    const auto source = open_model(options.model);
    ThreadPool pool(session.num_threads);
    NativeModel model(*source, pool);
    model.set_mask(mask_of(options.expert_plan, source->config()));
    const double load_seconds = load.seconds();
    BenchOptions bench = options.bench;
    if (options.exact) bench.arithmetic = Arithmetic::Float32;
    const BenchResult result = run_benchmark(model, bench, session.stop);
    if (!session.json) {
        for (const auto& [label, spread] :
             {std::pair{"prompt", result.prompt_tps}, std::pair{"generation", result.gen_tps}}) {
            fmt::print("{:<11}{:>10.1f} tokens/s  ({:.1f} to {:.1f})\n", label, spread.median,
                       spread.min, spread.max);
        }
    }
    return Json{{"prompt_tps", to_json(result.prompt_tps)},
                {"gen_tps", to_json(result.gen_tps)},
                {"load_s", load_seconds},
                {"rss_bytes", process_memory().resident_bytes}};
}

}  // namespace

void add_bench(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<BenchCommand>();
    auto* command = app.add_subcommand("bench", "Prompt and generation speed");
    command->add_option("MODEL", options->model, "Hub folder, .gguf or library name")->required();
    command->add_option("--prompt-tokens", options->bench.prompt_tokens, "Tokens to read")
        ->capture_default_str();
    command->add_option("--gen-tokens", options->bench.gen_tokens, "Tokens to generate")
        ->capture_default_str();
    command->add_option("--repeat", options->bench.repeat, "Times each")->capture_default_str();
    command->add_option("--expert-plan", options->expert_plan,
                        "Runs as if the plan's experts were gone");
    command->add_flag("--exact", options->exact, "Float32 arithmetic also for quantised weights");
    does(*command, chosen, options, bench);
}

}  // namespace espalier::cli
