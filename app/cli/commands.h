#pragma once

#include <functional>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "app/cli/session.h"
#include "base/json.h"

namespace espalier::cli {

/// A command's work. It prints for people unless session.json, and returns what `--json` prints as
/// the last line; nothing if it has printed its own lines.
using Work = std::function<std::optional<Json>(const Session& session)>;

/// What the command line asks for; filled while it is read.
struct Chosen {
    Work work;
};

/// One function a command: its options, and what it does.
void add_bench(CLI::App& app, Chosen& chosen);
void add_calibrate(CLI::App& app, Chosen& chosen);
void add_diff(CLI::App& app, Chosen& chosen);
void add_doctor(CLI::App& app, Chosen& chosen);
void add_eval(CLI::App& app, Chosen& chosen);
void add_export(CLI::App& app, Chosen& chosen);
void add_generate(CLI::App& app, Chosen& chosen);
void add_inspect(CLI::App& app, Chosen& chosen);
void add_merge_stats(CLI::App& app, Chosen& chosen);
void add_models(CLI::App& app, Chosen& chosen);
void add_prune(CLI::App& app, Chosen& chosen);
void add_quantize(CLI::App& app, Chosen& chosen);
void add_render_chat(CLI::App& app, Chosen& chosen);
void add_run(CLI::App& app, Chosen& chosen);
void add_select(CLI::App& app, Chosen& chosen);
void add_tokenize(CLI::App& app, Chosen& chosen);
void add_trace(CLI::App& app, Chosen& chosen);

void add_all_commands(CLI::App& app, Chosen& chosen);

/// Connects a subcommand with its options, kept alive by the work itself.
template <typename Options, typename Function>
void does(CLI::App& command, Chosen& chosen, std::shared_ptr<Options> options,
          Function&& function) {
    command.callback([&chosen, options, function] {
        chosen.work = [options, function](const Session& session) {
            return function(*options, session);
        };
    });
}

}  // namespace espalier::cli
