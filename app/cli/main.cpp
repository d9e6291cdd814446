#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fmt/format.h>
#include <new>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include "app/cli/commands.h"
#include "app/cli/print.h"
#include "app/cli/session.h"
#include "base/blas_kernels.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/log.h"
#include "base/size_text.h"

namespace {

using namespace espalier;

int report(const Error& error, bool json) {
    fmt::print(stderr, "error: {}\n", error.what());
    if (!error.hint().empty()) fmt::print(stderr, "  {}\n", error.hint());
    fmt::print(stderr, "  [{}]\n", code_text(error.code()));
    if (json) cli::print_json({{"error", cli::error_json(error)}});
    return exit_code(error.code());
}

int run(const cli::Work& work, const cli::Session& session) {
    try {
        const auto result = work(session);
        if (session.json && result) cli::print_json(*result);
        std::fflush(stdout);
        return 0;
    } catch (const Error& error) {
        return report(error, session.json);
    } catch (const Cancelled&) {
        fmt::print(stderr, "cancelled\n");
        return cli::kExitCancelled;
    } catch (const std::bad_alloc&) {
        return report(Error(ErrorCode::MemoryExceeded, "There is not enough memory for this.",
                            "Close other programs, or choose a smaller context or memory budget."),
                      session.json);
    } catch (const std::exception& error) {
        return report(
            Error(ErrorCode::RunStage, fmt::format("Something failed inside: {}.", error.what()),
                  "Run again with --log-level debug and report what it prints."),
            session.json);
    }
}

/// What is wrong with the command line, as a sentence.
Error usage_error(const CLI::ParseError& error) {
    std::string message = error.what();
    std::replace(message.begin(), message.end(), '\n', ' ');
    while (message.ends_with(' ')) message.pop_back();
    if (!message.ends_with('.')) message += '.';
    return {ErrorCode::UsageInvalid, message,
            "`espalier-cli --help` lists the commands, `espalier-cli COMMAND --help` its options."};
}

/// A command line that cannot be read to its end has not set the flag.
bool asks_for_json(int argc, char** argv) {
    return std::any_of(argv, argv + argc,
                       [](const char* text) { return std::string_view(text) == "--json"; });
}

}  // namespace

int main(int argc, char** argv) {
    choose_blas_kernels();
    const cli::SignalStop signals;
    CLI::App app("Espalier shapes Mixture-of-Experts language models until they fit.",
                 "espalier-cli");
    app.set_version_flag("--version", ESPALIER_VERSION);
    app.require_subcommand(1);
    app.fallthrough();

    cli::Session session;
    std::string memory_budget;
    std::string log_level = "info";
    app.add_flag("--json", session.json, "Print one JSON object on stdout as the last line");
    app.add_option("--threads", session.num_threads, "Threads to use (default: physical cores)")
        ->check(CLI::Range(1, 1024));
    app.add_option("--memory-budget", memory_budget, "Memory that the work may use, e.g. 12GiB");
    app.add_option("--log-level", log_level, "What goes to stderr")
        ->check(CLI::IsMember({"off", "error", "warn", "info", "debug", "trace"}));
    cli::Chosen chosen;
    cli::add_all_commands(app, chosen);

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error);  // help was asked for
        return report(usage_error(error), asks_for_json(argc, argv));
    }
    set_log_level(log_level);
    session.stop = signals.token();
    const int code = run(
        [&](const cli::Session&) {
            if (!memory_budget.empty()) session.memory_budget = parse_size(memory_budget);
            return chosen.work(session);
        },
        session);
    // Who stops does not wait until libtorch has taken itself apart; everything is written by now.
    if (code == cli::kExitCancelled) {
        std::fflush(stdout);
        std::_Exit(code);
    }
    return code;
}
