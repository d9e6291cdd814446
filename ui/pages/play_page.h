#pragma once

#include <QList>
#include <optional>

#include "store/library.h"
#include "ui/bridge/playground_types.h"
#include "ui/bridge/services.h"
#include "ui/widgets/page.h"

class QComboBox;
class QStackedWidget;
class QTabWidget;

namespace espalier::ui {

class Banner;
class ConversationView;
class IconButton;
class MessageInput;
class PlayChatList;
class PlayCompletion;
class PlaySettingsPanel;
class PushButton;
class TextLabel;
struct Failure;
struct RunSummary;

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

private:
    void buildLayout();
    QWidget* makeTop();
    QWidget* makeChat();
    QWidget* makeComposer();
    void connectWorker();
    void fillModels(const std::vector<ModelRecord>& models, const std::vector<RunSummary>& runs);
    void addModel(const QString& label, const QString& path);
    void browse(bool folder);
    void showLoaded(const ModelInfo& model);
    void send();
    void complete();
    void generate(const PlaygroundRequest& request);
    void takeText(const QString& text);
    void takeAnswer(const AnswerStats& stats);
    void takeFailure(const Failure& failure);
    void newChat();
    void openChat(const ChatRecord& chat);
    void beginSession(std::int64_t id);
    void saveChat();
    void takeSaved(std::int64_t id, quint64 session);
    void updateControls();
    bool isChat() const;

    Services m_services;
    QList<ChatMessage> m_messages;
    std::int64_t m_chatId = 0;   ///< 0 until the library has given one
    quint64 m_session = 0;       ///< counts the chats shown, so that a late answer finds its own
    bool m_isSavingNew = false;  ///< the first save is under way: the next waits for its id
    bool m_savesAgain = false;
    QString m_modelPath;
    bool m_isLoading = false;
    bool m_answersChat =
        true;  ///< what is being generated belongs to the chat, not to the completion

    PlayChatList* m_chats;
    QComboBox* m_models;
    TextLabel* m_status;
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
