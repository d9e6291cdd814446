#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "tokenizer/chat_template.h"

namespace espalier::cli {

/// What a `--messages` file holds: one conversation, or a list of them.
struct ConversationFile {
    std::vector<Json> conversations;  ///< each as conversation_from_json() reads it
    bool is_list = false;
};

/// A bare list of messages, which is what most people have at hand, is one conversation.
/// @throws Error FileMissing, FileMalformed, DataLine
ConversationFile read_conversations(const std::filesystem::path& file);

/// Who speaks next where a conversation does not say it.
enum class NextTurn { Assistants, Nobodys };

/// A list of messages, or an object with `messages` and, where wanted, `tools`, `documents`,
/// `add_generation_prompt`, `continue_final_message`, `kwargs` and `now`.
/// @throws Error DataLine that names the field
ChatTemplate::Request conversation_from_json(const Json& json, NextTurn next);

/// A model's chat template, compiled when it is first needed.
class Template {
public:
    /// @param config content of tokenizer_config.json, or null
    Template(std::string source, Json config);
    /// Of a model, a library name, or a `.jinja` file.
    static Template of(const std::string& model);

    /// @throws ChatTemplateError, Error TemplateMissing
    const ChatTemplate& compiled();
    /// The same from a source whose lines end as on Windows.
    const ChatTemplate& compiled_with_crlf();

private:
    std::string source_;
    Json config_;
    std::optional<ChatTemplate> compiled_;
    std::optional<ChatTemplate> with_crlf_;
};

}  // namespace espalier::cli
