#include <fmt/format.h>
#include <string>

#include "app/cli/commands.h"
#include "app/cli/find_model.h"
#include "app/cli/input_lines.h"
#include "app/cli/print.h"
#include "app/cli/token_ids.h"
#include "base/error.h"

namespace espalier::cli {
namespace {

struct TokenizeOptions {
    std::string model;
    bool decodes = false;
};

/// `tokenize` needs tokenizer.json alone: a folder without weights will do.
Tokenizer load_tokenizer(const std::string& model) {
    const auto path = model_path(model);
    const auto file = std::filesystem::is_directory(path) ? path / "tokenizer.json" : path;
    if (file.extension() == ".json" && std::filesystem::exists(file)) {
        return Tokenizer(read_json_file(file), file.string());
    }
    return tokenizer_of(*ModelSource::open(path));
}

Json answer(const Tokenizer& tokenizer, const Json& request, bool decodes,
            const std::string& where) {
    if (decodes) {
        const auto ids = token_ids_from_json(request.at("ids"), where);
        return {{"text", tokenizer.decode(ids, request.value("skip_special", false))}};
    }
    return {{"ids", tokenizer.encode(request.at("text").get<std::string>(),
                                     request.value("add_special", true))}};
}

std::optional<Json> tokenize(const TokenizeOptions& options, const Session& session) {
    const Tokenizer tokenizer = load_tokenizer(options.model);
    InputLines lines;
    std::int64_t number = 1;
    for (auto line = lines.next(session.stop); line; line = lines.next(session.stop), ++number) {
        if (line->find_first_not_of(" \t\r") == std::string::npos) continue;
        const std::string where = fmt::format("line {} of the input", number);
        try {
            print_json(answer(tokenizer, parse_json(*line, where), options.decodes, where));
        } catch (const Json::exception& error) {
            throw Error(ErrorCode::DataLine, fmt::format("In {}: {}.", where, error.what()),
                        options.decodes ? R"(Write {"ids": [...]} on every line.)"
                                        : R"(Write {"text": "..."} on every line.)");
        }
    }
    return std::nullopt;
}

}  // namespace

void add_tokenize(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<TokenizeOptions>();
    auto* command =
        app.add_subcommand("tokenize", "Reads JSON lines on stdin, answers one line each");
    command->add_option("MODEL", options->model, "Model, or a folder with tokenizer.json")
        ->required();
    command->add_flag("--decode", options->decodes, "Ids to text instead");
    does(*command, chosen, options, tokenize);
}

}  // namespace espalier::cli
