#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace espalier {

/// Turns messages into the text that a model was trained on. For now ChatML only; the template's
/// own text decides whether it is that.
class ChatTemplate {
public:
    /// @throws Error TemplateMissing if empty, TemplateUnknown if it is not ChatML
    explicit ChatTemplate(std::string_view source);

    struct Request {
        Json messages = Json::array();  ///< [{"role", "content"}, …]
        Json tools;
        Json documents;
        bool add_generation_prompt = true;
        bool continue_final_message = false;
        Json kwargs = Json::object();  ///< further variables, e.g. enable_thinking, bos_token
        std::string now;               ///< local time for strftime_now; empty = the clock
    };
    /// @throws Error TemplateRaised or TemplateUnknown
    std::string render(const Request& request) const;
};

}  // namespace espalier
