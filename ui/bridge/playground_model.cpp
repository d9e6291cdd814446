#include "ui/bridge/playground_model.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/json.h"
#include "tokenizer/chat_template.h"

namespace espalier::ui {
namespace {

TokenizerFiles tokenizerFilesOf(const ModelSource& source) {
    auto files = source.tokenizer_files();
    if (!files) {
        throw Error(ErrorCode::FileMissing, fmt::format("{} has no tokenizer.", source.name()),
                    "Put the tokenizer.json that belongs to the model into its folder.");
    }
    return std::move(*files);
}

}  // namespace

PlaygroundModel::PlaygroundModel(const std::filesystem::path& path)
    : m_source(ModelSource::open(path)),
      m_files(tokenizerFilesOf(*m_source)),
      m_tokenizer(m_files.tokenizer),
      m_model(*m_source, m_pool),
      m_generator(m_model, m_tokenizer, end_token_ids(*m_source, m_tokenizer)) {}

std::vector<TokenId> PlaygroundModel::promptIds(const PlaygroundRequest& request) const {
    if (!request.isChat) return m_tokenizer.encode(request.prompt.toStdString());
    ChatTemplate::Request chat;
    for (const ChatMessage& message : request.messages) {
        chat.messages.push_back(
            {{"role", message.role.toStdString()}, {"content", message.content.toStdString()}});
    }
    // The template writes the special tokens itself.
    return m_tokenizer.encode(ChatTemplate(m_files.chat_template, m_files.config).render(chat),
                              false);
}

GenerationResult PlaygroundModel::answer(const PlaygroundRequest& request,
                                         const std::function<void(std::string_view)>& onText,
                                         std::stop_token stop) {
    const std::vector<TokenId> prompt = promptIds(request);
    return m_generator.generate(prompt, request.options, onText, std::move(stop));
}

}  // namespace espalier::ui
