#include <fmt/format.h>
#include <string>

#include "app/cli/commands.h"
#include "app/cli/find_model.h"
#include "base/atomic_file.h"
#include "base/error.h"
#include "tokenizer/chat_template.h"

namespace espalier::cli {
namespace {

struct RenderOptions {
    std::string model;
    std::string messages;
};

std::string template_text(const std::string& model) {
    const auto path = model_path(model);
    if (path.extension() == ".jinja") return read_file(path);
    const auto files = ModelSource::open(path)->tokenizer_files();
    return files ? files->chat_template : std::string();
}

ChatTemplate::Request request_of(const Json& json) {
    ChatTemplate::Request request;
    request.messages = json.value("messages", Json::array());
    request.tools = json.value("tools", Json());
    request.documents = json.value("documents", Json());
    request.add_generation_prompt = json.value("add_generation_prompt", false);
    request.continue_final_message = json.value("continue_final_message", false);
    request.kwargs = json.value("kwargs", Json::object());
    request.now = json.value("now", "");
    return request;
}

Json render(const ChatTemplate& chat_template, const Json& request) {
    return {{"text", chat_template.render(request_of(request))}};
}

std::optional<Json> render_chat(const RenderOptions& options, const Session& session) {
    const ChatTemplate chat_template(template_text(options.model));
    Json requests = read_json_file(options.messages);
    const bool is_list =
        requests.is_array() && !requests.empty() && requests[0].contains("messages");
    if (!is_list) {
        // A bare list of messages is what most people have at hand.
        const Json request = requests.is_array()
                                 ? Json{{"messages", requests}, {"add_generation_prompt", true}}
                                 : requests;
        const Json answer = render(chat_template, request);
        if (!session.json) fmt::print("{}", answer.at("text").get<std::string>());
        return answer;
    }
    for (const Json& request : requests) fmt::print("{}\n", render(chat_template, request).dump());
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
                     "JSON: messages, or an object with messages, tools, …")
        ->required();
    does(*command, chosen, options, render_chat);
}

}  // namespace espalier::cli
