#pragma once

#include <QList>

#include "store/library.h"
#include "ui/bridge/playground_types.h"
#include "ui/bridge/services.h"
#include "ui/widgets/page.h"

class QSplitter;
class QStackedWidget;
class QTabWidget;

namespace espalier::ui {

class Banner;
class ConversationView;
class MessageInput;
class PlayChatList;
class PlayCompletion;
class PlayModelPicker;
class PlaySettingsPanel;
class PushButton;
struct Failure;

/// Talking to a model, or letting it continue a text.
class PlayPage : public Page {
    Q_OBJECT

public:
    explicit PlayPage(const Services& services, QWidget* parent = nullptr);

    void refresh() override;
    void activatePrimary() override;
    bool cancelCurrent() override;
    void createNew() override { newChat(); }

    void openModel(const QString& path);

protected:
    void arrange(bool isNarrow) override;

private:
    void buildLayout();
    QWidget* makeChat();
    QWidget* makeComposer();
    void connectWorker();
    void showLoaded(const ModelInfo& model);
    void send();
    void complete();
    void generate(const PlaygroundRequest& request);
    void takeText(const QString& text);
    void takeAnswer(const AnswerStats& stats);
    void takeFailure(const Failure& failure);
    void takeBackQuestion();
    void showFailure(const Failure& failure);
    void newChat();
    void openChat(const ChatRecord& chat);
    void saveChat();
    void updateControls();
    bool isChat() const;

    Services m_services;
    QList<ChatMessage> m_messages;
    bool m_isLoading = false;
    bool m_answersChat =
        true;  ///< what is being generated belongs to the chat, not to the completion

    QSplitter* m_split;
    QSplitter* m_side;
    PlayChatList* m_chats;
    PlayModelPicker* m_models;
    Banner* m_banner;
    Banner* m_templateBanner;
    QTabWidget* m_tabs;
    QStackedWidget* m_chatStack;
    ConversationView* m_conversation;
    PlayCompletion* m_completion;
    MessageInput* m_input;
    PushButton* m_send;
    PushButton* m_stop;
    PlaySettingsPanel* m_settings;
};

}  // namespace espalier::ui
