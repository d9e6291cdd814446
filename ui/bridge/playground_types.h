#pragma once

#include <QList>
#include <QMetaType>
#include <QString>

#include "infer/generator.h"
#include "ui/bridge/model_info.h"

namespace espalier::ui {

struct ChatMessage {
    QString role;  ///< "system", "user", "assistant"
    QString content;
    bool operator==(const ChatMessage&) const = default;
};

/// What to continue: a conversation through the model's template, or a text as it stands.
struct PlaygroundRequest {
    bool isChat = true;
    QList<ChatMessage> messages;
    QString prompt;
    GenerationOptions options;
};

/// What the read-out shows of an answer.
struct AnswerStats {
    qint64 promptTokens = 0;
    qint64 tokens = 0;
    double promptTokensPerSecond = 0;
    double tokensPerSecond = 0;
    double seconds = 0;
    StopReason stop = StopReason::EndToken;
};

}  // namespace espalier::ui

Q_DECLARE_METATYPE(espalier::ui::AnswerStats)
