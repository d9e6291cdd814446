#include "app/cli/conversation.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "app/cli/find_model.h"
#include "base/atomic_file.h"
#include "base/error.h"

namespace espalier::cli {
namespace {

[[noreturn]] void refuse(const std::string& what) {
    throw Error(ErrorCode::DataLine, "The conversation cannot be read: " + what + ".",
                R"(Write [{"role": "user", "content": "…"}, …], or an object with "messages".)");
}

/// A field that is absent or null leaves its default.
const Json* field(const Json& json, const char* name, bool (Json::*is_right)() const noexcept,
                  const char* kind) {
    const auto found = json.find(name);
    if (found == json.end() || found->is_null()) return nullptr;
    if (!((*found).*is_right)()) refuse(fmt::format("\"{}\" should be {}", name, kind));
    return &*found;
}

bool flag(const Json& json, const char* name, bool otherwise) {
    const Json* value = field(json, name, &Json::is_boolean, "true or false");
    return value == nullptr ? otherwise : value->get<bool>();
}

Json list_or_null(const Json& json, const char* name) {
    const Json* value = field(json, name, &Json::is_array, "a list");
    return value == nullptr ? Json() : *value;
}

bool is_conversation(const Json& json) { return json.is_object() && json.contains("messages"); }

std::string with_crlf(const std::string& text) {
    std::string result;
    for (const char c : text) {
        if (c == '\n') result += '\r';
        result += c;
    }
    return result;
}

}  // namespace

ConversationFile read_conversations(const std::filesystem::path& file) {
    Json json = read_json_file(file);
    if (!json.is_array() && !json.is_object()) {
        refuse(fmt::format("{} holds neither a list nor an object", file.string()));
    }
    if (json.is_array() && std::any_of(json.begin(), json.end(), is_conversation)) {
        return {.conversations = json.get<std::vector<Json>>(), .is_list = true};
    }
    return {.conversations = {std::move(json)}};
}

ChatTemplate::Request conversation_from_json(const Json& json, NextTurn next) {
    const bool assistant_is_next = next == NextTurn::Assistants;
    ChatTemplate::Request request;
    if (json.is_array()) {
        request.messages = json;
        request.add_generation_prompt = true;
        return request;
    }
    if (!json.is_object()) refuse("it is neither a list nor an object");
    const Json* messages = field(json, "messages", &Json::is_array, "a list");
    if (messages == nullptr) refuse("it has no \"messages\"");
    request.messages = *messages;
    request.tools = list_or_null(json, "tools");
    request.documents = list_or_null(json, "documents");
    request.continue_final_message = flag(json, "continue_final_message", false);
    request.add_generation_prompt =
        flag(json, "add_generation_prompt", assistant_is_next && !request.continue_final_message);
    if (const Json* kwargs = field(json, "kwargs", &Json::is_object, "an object")) {
        request.kwargs = *kwargs;
    }
    if (const Json* now = field(json, "now", &Json::is_string, "a text")) {
        request.now = now->get<std::string>();
    }
    return request;
}

Template::Template(std::string source, Json config)
    : source_(std::move(source)), config_(std::move(config)) {}

Template Template::of(const std::string& model) {
    const auto path = model_path(model);
    if (path.extension() == ".jinja") return {read_file(path), Json()};
    auto files = ModelSource::open(path)->tokenizer_files();
    if (!files) return {"", Json()};
    return {std::move(files->chat_template), std::move(files->config)};
}

const ChatTemplate& Template::compiled() {
    if (!compiled_) compiled_.emplace(source_, config_);
    return *compiled_;
}

const ChatTemplate& Template::compiled_with_crlf() {
    if (!with_crlf_) with_crlf_.emplace(with_crlf(source_), config_);
    return *with_crlf_;
}

}  // namespace espalier::cli
