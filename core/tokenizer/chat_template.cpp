#include "tokenizer/chat_template.h"

#include <string>

#include "base/error.h"

namespace espalier {
namespace {

constexpr std::string_view kChatMl =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ "
    "'<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' "
    "}}"
    "{% endif %}";

}  // namespace

ChatTemplate::ChatTemplate(std::string_view source) {
    while (source.ends_with('\n')) source.remove_suffix(1);
    if (source.empty()) {
        throw Error(ErrorCode::TemplateMissing, "The model has no chat template.",
                    "Give a prompt as it stands, or a model made for conversation.");
    }
    if (source != kChatMl) {
        throw Error(ErrorCode::TemplateUnknown,
                    "The model's chat template is not the plain ChatML that is understood so far.",
                    "Give a prompt as it stands.");
    }
}

std::string ChatTemplate::render(const Request& request) const {
    std::string text;
    for (const Json& message : request.messages) {
        const auto field = [&message](const char* key) {
            if (!message.is_object() || !message.contains(key) || !message[key].is_string()) {
                throw Error(ErrorCode::TemplateRaised,
                            std::string("A message lacks a string \"") + key + "\".",
                            "Give every message a role and a content.");
            }
            return message[key].get<std::string>();
        };
        text += "<|im_start|>" + field("role") + "\n" + field("content");
        text += "<|im_end|>\n";
    }
    if (request.continue_final_message) {
        text.resize(text.size() - (request.messages.empty() ? 0 : 11));
    } else if (request.add_generation_prompt) {
        text += "<|im_start|>assistant\n";
    }
    return text;
}

}  // namespace espalier
