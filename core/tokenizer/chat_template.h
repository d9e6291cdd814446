#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace espalier {

/// What a chat template could not do. E-TMPL-02 (TemplateUnknown) if it cannot be compiled or does
/// what templates may not do; E-TMPL-03 (TemplateRaised) if it cannot render these messages.
class ChatTemplateError : public Error {
public:
    ChatTemplateError(ErrorCode code, std::string kind, std::string detail,
                      const std::string& message, std::string hint);

    /// raise_exception, undefined, type, syntax, security or limit.
    const std::string& kind() const noexcept { return kind_; }
    /// For raise_exception, the template's own words.
    const std::string& detail() const noexcept { return detail_; }

private:
    std::string kind_;
    std::string detail_;
};

/// Turns messages into the text that a model was trained on: a Jinja template, as Hugging Face
/// models carry it, run by an interpreter of our own that has no access to anything but its
/// variables and bounds its steps, output and depth. Immutable: usable from several threads.
class ChatTemplate {
public:
    /// @param tokenizer_config content of tokenizer_config.json, whose special tokens (`bos_token`,
    /// …) templates know by name; may be null
    /// @throws Error TemplateMissing if `source` is empty
    /// @throws ChatTemplateError with line and column if it cannot be compiled
    explicit ChatTemplate(std::string_view source, const Json& tokenizer_config = Json());
    ~ChatTemplate();
    ChatTemplate(ChatTemplate&&) noexcept;
    ChatTemplate& operator=(ChatTemplate&&) noexcept;

    struct Request {
        Json messages = Json::array();  ///< [{"role", "content"}, …]
        Json tools;                     ///< null = none
        Json documents;                 ///< null = none
        bool add_generation_prompt = true;
        /// The last message is the beginning of the answer: the output ends where its content does.
        bool continue_final_message = false;
        Json kwargs = Json::object();  ///< further variables, e.g. enable_thinking; they come first
        std::string now;  ///< local time for strftime_now, 2025-03-09T07:05:02; empty = the clock
    };

    /// Characters (code points) [begin, end) of the text.
    struct Span {
        std::size_t begin;
        std::size_t end;
        bool operator==(const Span&) const = default;
    };
    struct Rendered {
        std::string text;
        std::vector<Span>
            generation_spans;  ///< what {% generation %} blocks wrote: the model's own turns
    };

    /// @throws ChatTemplateError
    std::string render(const Request& request) const { return render_with_spans(request).text; }
    Rendered render_with_spans(const Request& request) const;

private:
    struct Compiled;
    std::unique_ptr<const Compiled> compiled_;
};

}  // namespace espalier
