#include <fmt/format.h>
#include <string>

#include "app/cli/commands.h"
#include "app/cli/find_model.h"
#include "app/cli/input_lines.h"
#include "app/cli/print.h"
#include "app/cli/token_ids.h"
#include "base/error.h"
#include "pipeline/config_fields.h"

namespace espalier::cli {
namespace {

struct TokenizeOptions {
    std::string model;
    bool decodes = false;
};

enum class Direction { Encode, Decode };

/// `tokenize` needs tokenizer.json alone: a folder without weights will do.
Tokenizer load_tokenizer(const std::string& model) {
    const auto path = model_path(model);
    const auto file = std::filesystem::is_directory(path) ? path / "tokenizer.json" : path;
    if (file.extension() == ".json" && std::filesystem::exists(file)) {
        return Tokenizer(read_json_file(file), file.string());
    }
    return tokenizer_of(*ModelSource::open(path));
}

[[noreturn]] void refuse(const std::string& what, Direction direction) {
    throw Error(ErrorCode::DataLine, what,
                direction == Direction::Decode ? R"(Write {"ids": [...]} on every line.)"
                                               : R"(Write {"text": "..."} on every line.)");
}

/// A field of the right kind; `value` as it was if it is absent.
template <typename T>
bool take(const Json& request, const char* name, T& value, const std::string& where,
          Direction direction) {
    const auto found = request.find(name);
    if (found == request.end()) return false;
    if (read_json_value(*found, value)) return true;
    refuse(fmt::format("In {}, \"{}\" cannot be {}.", where, name, json_line(*found).substr(0, 40)),
           direction);
}

Json parse_request(const std::string& line, const std::string& where, Direction direction) {
    Json request;
    try {
        request = parse_json(line, "what stands there");
    } catch (const Error& error) {
        refuse(fmt::format("In {}, {}", where, error.what()), direction);
    }
    if (!request.is_object()) refuse(fmt::format("In {} there is no object.", where), direction);
    return request;
}

Json encode(const Tokenizer& tokenizer, const Json& request, const std::string& where) {
    std::string text;
    bool adds_special = true;
    if (!take(request, "text", text, where, Direction::Encode)) {
        refuse(fmt::format("In {} there is no \"text\".", where), Direction::Encode);
    }
    take(request, "add_special", adds_special, where, Direction::Encode);
    return {{"ids", tokenizer.encode(text, adds_special)}};
}

Json decode(const Tokenizer& tokenizer, const Json& request, const std::string& where) {
    bool skips_special = false;
    if (!request.contains("ids")) {
        refuse(fmt::format("In {} there is no \"ids\".", where), Direction::Decode);
    }
    take(request, "skip_special", skips_special, where, Direction::Decode);
    return {{"text", tokenizer.decode(token_ids_from_json(request["ids"], where), skips_special)}};
}

std::optional<Json> tokenize(const TokenizeOptions& options, const Session& session) {
    const Tokenizer tokenizer = load_tokenizer(options.model);
    const Direction direction = options.decodes ? Direction::Decode : Direction::Encode;
    InputLines lines;
    std::int64_t number = 1;
    for (auto line = lines.next(session.stop); line; line = lines.next(session.stop), ++number) {
        if (line->find_first_not_of(" \t\r") == std::string::npos) continue;
        const std::string where = fmt::format("line {} of the input", number);
        const Json request = parse_request(*line, where, direction);
        print_json(options.decodes ? decode(tokenizer, request, where)
                                   : encode(tokenizer, request, where));
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
