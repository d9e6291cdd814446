#include <fmt/format.h>
#include <string>

#include "app/cli/commands.h"
#include "app/cli/conversation.h"
#include "app/cli/print.h"
#include "base/cancel.h"

namespace espalier::cli {
namespace {

struct RenderOptions {
    std::string model;
    std::string messages;
};

std::string render(Template& source, const Json& json) {
    const auto request = conversation_from_json(json, NextTurn::Nobodys);
    const bool has_crlf =
        json.is_object() && json.contains("template_crlf") && json["template_crlf"] == true;
    return (has_crlf ? source.compiled_with_crlf() : source.compiled()).render(request);
}

/// A conversation of a list that cannot be rendered is answered with its error: the others have a
/// right to theirs.
Json answer(Template& source, const Json& json) {
    try {
        return {{"text", render(source, json)}};
    } catch (const Error& error) {
        if (error.code() == ErrorCode::TemplateMissing) throw;
        Json fault = error_json(error);
        if (!fault.contains("kind")) fault["kind"] = "request";
        return {{"error", std::move(fault)}};
    }
}

std::optional<Json> render_chat(const RenderOptions& options, const Session& session) {
    Template source = Template::of(options.model);
    const ConversationFile file = read_conversations(options.messages);
    if (!file.is_list) {
        const std::string text = render(source, file.conversations.front());
        if (!session.json) fmt::print("{}", text);
        return Json{{"text", text}};
    }
    for (const Json& conversation : file.conversations) {
        throw_if_stopped(session.stop);
        print_json(answer(source, conversation));
    }
    return std::nullopt;
}

}  // namespace

void add_render_chat(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<RenderOptions>();
    auto* command = app.add_subcommand("render-chat",
                                       "The text that a model's chat template makes of messages");
    command->add_option("MODEL", options->model, "Model, or a .jinja file")->required();
    command
        ->add_option("--messages", options->messages,
                     "JSON: messages, an object with messages, tools, kwargs, …, or a list of such")
        ->required();
    does(*command, chosen, options, render_chat);
}

}  // namespace espalier::cli
