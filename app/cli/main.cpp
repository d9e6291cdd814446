#include <cstdio>
#include <exception>
#include <fmt/format.h>
#include <new>
#include <string>

#include <CLI/CLI.hpp>

#include "app/cli/commands.h"
#include "app/cli/session.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/log.h"
#include "base/size_text.h"

namespace {

using namespace espalier;

constexpr int kExitUsage = 2;
constexpr int kExitCancelled = 130;

void print_json(const Json& json) {
    // Texts of models need not be UTF-8 to the last byte.
    fmt::print("{}\n", json.dump(-1, ' ', false, Json::error_handler_t::replace));
    std::fflush(stdout);
}

int report(const Error& error, bool json) {
    const std::string_view code = code_text(error.code());
    fmt::print(stderr, "error: {}\n", error.what());
    if (!error.hint().empty()) fmt::print(stderr, "  {}\n", error.hint());
    fmt::print(stderr, "  [{}]\n", code);
    if (json) {
        print_json(
            {{"error", {{"code", code}, {"message", error.what()}, {"hint", error.hint()}}}});
    }
    return exit_code(error.code());
}

int run(const cli::Work& work, const cli::Session& session) {
    try {
        const auto result = work(session);
        if (session.json && result) print_json(*result);
        std::fflush(stdout);
        return 0;
    } catch (const Error& error) {
        return report(error, session.json);
    } catch (const Cancelled&) {
        fmt::print(stderr, "cancelled\n");
        return kExitCancelled;
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

}  // namespace

int main(int argc, char** argv) {
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
        return app.exit(error) == 0 ? 0 : kExitUsage;
    }
    set_log_level(log_level);
    session.stop = signals.token();
    return run(
        [&](const cli::Session&) {
            if (!memory_budget.empty()) session.memory_budget = parse_size(memory_budget);
            return chosen.work(session);
        },
        session);
}
