#include "tokenizer/chat_template.h"

#include <algorithm>
#include <ctime>
#include <fmt/format.h>
#include <utility>

#include "tokenizer/jinja/globals.h"
#include "tokenizer/jinja/lexer.h"
#include "tokenizer/jinja/parser.h"
#include "tokenizer/jinja/renderer.h"
#include "tokenizer/jinja/text.h"

namespace espalier {
namespace {

using jinja::Fault;
using jinja::FaultKind;

constexpr std::string_view kContinueMark = "CONTINUE_FINAL_MESSAGE_TAG ";

const char* kind_text(FaultKind kind) {
    switch (kind) {
        case FaultKind::Raised:
            return "raise_exception";
        case FaultKind::Undefined:
            return "undefined";
        case FaultKind::Type:
            return "type";
        case FaultKind::Syntax:
            return "syntax";
        case FaultKind::Security:
            return "security";
        case FaultKind::Limit:
            return "limit";
    }
    return "type";
}

ChatTemplateError error_of(const Fault& fault, jinja::Position where) {
    if (fault.kind == FaultKind::Raised) {
        return {ErrorCode::TemplateRaised, kind_text(fault.kind), fault.what(),
                fmt::format("The model's chat template refuses these messages: {}", fault.what()),
                "Change the messages as it says."};
    }
    const bool is_fit = fault.kind == FaultKind::Undefined || fault.kind == FaultKind::Type;
    return {is_fit ? ErrorCode::TemplateRaised : ErrorCode::TemplateUnknown, kind_text(fault.kind),
            fault.what(),
            fmt::format("The model's chat template cannot be {} (line {}, column {}): {}.",
                        is_fit ? "rendered with these messages" : "used", where.line, where.column,
                        fault.what()),
            is_fit ? "Check the roles and contents of the messages."
                   : "Give a prompt as it stands, or another template."};
}

std::tm local_now() {
    const std::time_t now = std::time(nullptr);
    std::tm result{};
    localtime_r(&now, &result);
    return result;
}

std::tm time_of(const std::string& text) {
    if (text.empty()) return local_now();
    std::tm result{};
    const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &result);
    if (end == nullptr || *end != '\0') {
        throw Error(ErrorCode::UsageInvalid,
                    fmt::format("\"{}\" is no local time like 2025-03-09T07:05:02.", text),
                    "Correct \"now\".");
    }
    return result;
}

[[noreturn]] void nothing_to_continue(const char* why) {
    throw ChatTemplateError(ErrorCode::TemplateRaised, "type", why,
                            fmt::format("The final message cannot be continued: {}.", why),
                            "Give a last message with text, or do not continue it.");
}

/// Where the text of the last message stands in `messages`.
std::string& final_text(Json& messages) {
    if (!messages.is_array() || messages.empty() || !messages.back().is_object() ||
        !messages.back().contains("content")) {
        nothing_to_continue("there is none");
    }
    Json& content = messages.back()["content"];
    if (content.is_string()) return content.get_ref<std::string&>();
    if (content.is_array()) {
        for (auto part = content.rbegin(); part != content.rend(); ++part) {
            if (!part->is_object() || !part->contains("text") || !(*part)["text"].is_string())
                continue;
            return (*part)["text"].get_ref<std::string&>();
        }
    }
    nothing_to_continue("it has no text");
}

/// Cuts the output where the marked content ends.
void cut_at_mark(std::string& text) {
    const std::string_view trimmed = kContinueMark.substr(0, kContinueMark.size() - 1);
    const std::size_t found = text.rfind(trimmed);
    if (found == std::string::npos) nothing_to_continue("the template drops or changes it");
    const bool is_whole = text.compare(found, kContinueMark.size(), kContinueMark) == 0;
    text.resize(found);
    if (!is_whole) text = std::string(jinja::strip_right(text));
}

std::vector<ChatTemplate::Span> spans_in(std::string_view text,
                                         const std::vector<jinja::OutputSpan>& bytes) {
    std::vector<ChatTemplate::Span> spans;
    for (const jinja::OutputSpan span : bytes) {
        const auto place = [&](std::size_t offset) {
            return static_cast<std::size_t>(
                jinja::character_index(text, std::min(offset, text.size())));
        };
        spans.push_back({place(span.begin), place(span.end)});
    }
    return spans;
}

/// "<s>" or {"content": "<s>"}, as tokenizer_config.json has it.
Json special_tokens_in(const Json& tokenizer_config) {
    Json tokens = Json::object();
    if (!tokenizer_config.is_object()) return tokens;
    for (const char* name : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                             "cls_token", "mask_token"}) {
        const auto found = tokenizer_config.find(name);
        if (found == tokenizer_config.end()) continue;
        const Json& token =
            found->is_object() && found->contains("content") ? (*found)["content"] : *found;
        if (token.is_string()) tokens[name] = token;
    }
    return tokens;
}

void define_variables(const ChatTemplate::Request& request, const Json& special_tokens,
                      const Json& messages, jinja::Scope& scope) {
    for (const auto& [name, value] : special_tokens.items()) {
        scope.set(name, jinja::Value::from_json(value));
    }
    for (const auto& [name, value] : request.kwargs.items()) {
        scope.set(name, jinja::Value::from_json(value));
    }
    scope.set("messages", jinja::Value::from_json(messages));
    scope.set("tools", jinja::Value::from_json(request.tools));
    scope.set("documents", jinja::Value::from_json(request.documents));
    scope.set("add_generation_prompt", request.add_generation_prompt);
}

}  // namespace

struct ChatTemplate::Compiled {
    jinja::Block block;
    Json special_tokens;
};

ChatTemplateError::ChatTemplateError(ErrorCode code, std::string kind, std::string detail,
                                     const std::string& message, std::string hint)
    : Error(code, message, std::move(hint)), kind_(std::move(kind)), detail_(std::move(detail)) {}

ChatTemplate::ChatTemplate(std::string_view source, const Json& tokenizer_config) {
    if (source.empty()) {
        throw Error(ErrorCode::TemplateMissing, "The model has no chat template.",
                    "Give a prompt as it stands, or a model made for conversation.");
    }
    try {
        compiled_ = std::make_unique<const Compiled>(
            Compiled{jinja::parse_template(source), special_tokens_in(tokenizer_config)});
    } catch (const jinja::SyntaxFault& fault) {
        throw error_of(fault, fault.position);
    } catch (const Fault& fault) {
        throw error_of(fault, {});
    }
}

ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

ChatTemplate::Rendered ChatTemplate::render_with_spans(const Request& request) const {
    Json messages = request.messages;
    if (request.continue_final_message) final_text(messages) += kContinueMark;
    jinja::Evaluator evaluator(time_of(request.now));
    jinja::Renderer renderer(evaluator);
    jinja::Scope variables;
    Rendered result;
    try {
        jinja::define_globals(evaluator, variables);
        define_variables(request, compiled_->special_tokens, messages, variables);
        result.text = renderer.render(compiled_->block, variables);
    } catch (const Fault& fault) {
        throw error_of(fault, evaluator.position());
    }
    if (request.continue_final_message) cut_at_mark(result.text);
    result.generation_spans = spans_in(result.text, renderer.generation_spans());
    return result;
}

}  // namespace espalier
