#include "ui/pages/play_page.h"

#include <QDateTime>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QSplitter>
#include <QStackedWidget>
#include <QTabWidget>
#include <QVBoxLayout>

#include "base/json.h"
#include "ui/bridge/playground_worker.h"
#include "ui/bridge/run_controller.h"
#include "ui/models/format.h"
#include "ui/pages/play_chat_list.h"
#include "ui/pages/play_completion.h"
#include "ui/pages/play_model_picker.h"
#include "ui/pages/play_settings_panel.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/conversation_view.h"
#include "ui/widgets/message_input.h"
#include "ui/widgets/message_widget.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {
namespace {

constexpr int titleLength = 40;
constexpr int sideWidth = 190;

QString figuresOf(const AnswerStats& stats) {
    QString end;
    if (stats.stop == StopReason::Cancelled) end = PlayPage::tr(" · stopped");
    if (stats.stop == StopReason::MaxTokens) end = PlayPage::tr(" · most tokens reached");
    if (stats.stop == StopReason::ContextFull) end = PlayPage::tr(" · context full");
    if (stats.tokens == 0) return PlayPage::tr("nothing written") + end;
    return PlayPage::tr("%1 tokens · %2 · %3 · prompt of %4 read at %5")
               .arg(format::integer(stats.tokens), format::speed(stats.tokensPerSecond),
                    format::duration(stats.seconds), format::integer(stats.promptTokens),
                    format::speed(stats.promptTokensPerSecond)) +
           end;
}

Json toJson(const QList<ChatMessage>& messages) {
    Json json = Json::array();
    for (const ChatMessage& message : messages) {
        json.push_back(
            {{"role", message.role.toStdString()}, {"content", message.content.toStdString()}});
    }
    return json;
}

QList<ChatMessage> messagesFrom(const std::string& text) {
    QList<ChatMessage> messages;
    for (const Json& message : parse_json(text, "chat")) {
        messages.append({QString::fromStdString(message.value("role", std::string())),
                         QString::fromStdString(message.value("content", std::string()))});
    }
    return messages;
}

}  // namespace

PlayPage::PlayPage(const Services& services, QWidget* parent) : Page(parent), m_services(services) {
    setObjectName(QStringLiteral("playPage"));
    buildLayout();
    connectWorker();
    updateControls();
}

void PlayPage::buildLayout() {
    m_models = new PlayModelPicker(m_services);
    m_banner = new Banner(QStringLiteral("play_banner"));
    m_chats = new PlayChatList(m_services);
    m_chats->setMinimumWidth(sideWidth);
    m_settings = new PlaySettingsPanel;
    m_completion = new PlayCompletion;
    m_tabs = new QTabWidget;
    m_tabs->setObjectName(QStringLiteral("play_mode_tabs"));
    m_tabs->setAccessibleName(tr("Mode"));
    m_tabs->tabBar()->setObjectName(QStringLiteral("play_mode_tabs_bar"));
    m_tabs->tabBar()->setAccessibleName(tr("Mode"));
    m_tabs->addTab(makeChat(), tr("&Chat"));
    m_tabs->addTab(m_completion, tr("Comp&letion"));
    connect(m_tabs, &QTabWidget::currentChanged, this, [this] {
        if (m_tabs->tabBar()->hasFocus()) return;  // walked through with the arrows
        QWidget* field = isChat() ? static_cast<QWidget*>(m_input) : m_completion;
        field->setFocus(Qt::OtherFocusReason);
    });
    auto* middle = new QWidget;
    auto* column = new QVBoxLayout(middle);
    column->setContentsMargins({});
    column->setSpacing(space::controls);
    column->addWidget(m_models);
    column->addWidget(m_banner);
    column->addWidget(m_tabs, 1);
    m_side = new QSplitter(Qt::Vertical);
    m_side->addWidget(m_chats);
    m_split = new QSplitter(Qt::Horizontal);
    for (QWidget* pane : std::initializer_list<QWidget*>{m_side, middle, m_settings})
        m_split->addWidget(pane);
    m_split->setStretchFactor(1, 1);
    for (QSplitter* splitter : {m_side, m_split}) {
        splitter->setChildrenCollapsible(false);
        splitter->setHandleWidth(space::groups);
    }
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(space::groups, space::pageMargin, space::groups, space::pageMargin);
    layout->addWidget(m_split);
}

void PlayPage::arrange(bool isNarrow) {
    QSplitter* place = isNarrow ? m_side : m_split;
    if (m_settings->parentWidget() != place) place->addWidget(m_settings);
}

QWidget* PlayPage::makeChat() {
    m_conversation = new ConversationView(QStringLiteral("play_conversation_view"));
    auto* empty = new TextLabel(TextKind::Secondary,
                                tr("Choose a model to talk to, then write a message below."));
    empty->setAlignment(Qt::AlignCenter);
    m_chatStack = new QStackedWidget;
    m_chatStack->addWidget(empty);
    m_chatStack->addWidget(m_conversation);
    m_templateBanner = new Banner(QStringLiteral("play_template_banner"));
    auto* completion =
        new PushButton(QStringLiteral("play_template_completion_btn"), tr("Use Completion"));
    connect(completion, &QPushButton::clicked, this,
            [this] { m_tabs->setCurrentWidget(m_completion); });
    m_templateBanner->addButton(completion);
    auto* chat = new QWidget;
    auto* layout = new QVBoxLayout(chat);
    layout->setContentsMargins(0, space::controls, 0, 0);
    layout->addWidget(m_templateBanner);
    layout->addWidget(m_chatStack, 1);
    layout->addWidget(makeComposer());
    return chat;
}

QWidget* PlayPage::makeComposer() {
    m_input = new MessageInput(QStringLiteral("play_input_text"));
    m_input->setAccessibleName(tr("Message"));
    m_input->setPlaceholderText(tr("Message… (Enter sends, Shift+Enter begins a line)"));
    m_send = (new PushButton(QStringLiteral("play_send_btn"), tr("&Send")))->asPrimary();
    m_stop = (new PushButton(QStringLiteral("play_stop_btn"), tr("Stop")))
                 ->withIcon(QStringLiteral("stop"));
    m_stop->setToolTip(tr("Ends the answer and keeps what is there (Esc)"));
    m_stop->setAccessibleName(tr("Stop the answer"));
    connect(m_input, &MessageInput::submitted, this, &PlayPage::send);
    connect(m_input, &QPlainTextEdit::textChanged, this, &PlayPage::updateControls);
    connect(m_send, &QPushButton::clicked, this, &PlayPage::send);
    connect(m_stop, &QPushButton::clicked, this, &PlayPage::cancelCurrent);
    auto* composer = new QWidget;
    auto* layout = new QHBoxLayout(composer);
    layout->setContentsMargins({});
    layout->addWidget(m_input, 1);
    layout->addWidget(m_send, 0, Qt::AlignBottom);
    layout->addWidget(m_stop, 0, Qt::AlignBottom);
    return composer;
}

void PlayPage::connectWorker() {
    PlaygroundWorker* worker = &m_services.playground;
    connect(worker, &PlaygroundWorker::loadStarted, this, [this](const QString& path) {
        m_isLoading = true;
        m_banner->dismiss();
        m_templateBanner->dismiss();
        m_models->setStatus(tr("Opening %1…").arg(QFileInfo(path).fileName()));
        updateControls();
    });
    connect(worker, &PlaygroundWorker::loaded, this, &PlayPage::showLoaded);
    connect(worker, &PlaygroundWorker::loadFailed, this, [this](const Failure& failure) {
        m_isLoading = false;
        m_models->setStatus({});
        showFailure(failure);
        updateControls();
    });
    connect(worker, &PlaygroundWorker::textArrived, this, &PlayPage::takeText);
    connect(worker, &PlaygroundWorker::answered, this, &PlayPage::takeAnswer);
    connect(worker, &PlaygroundWorker::generationFailed, this, &PlayPage::takeFailure);
    connect(m_completion, &PlayCompletion::continueRequested, this, &PlayPage::complete);
    connect(m_completion, &PlayCompletion::stopRequested, this, &PlayPage::cancelCurrent);
    connect(m_chats, &PlayChatList::newRequested, this, &PlayPage::newChat);
    connect(m_chats, &PlayChatList::chatOpened, this, &PlayPage::openChat);
    connect(m_chats, &PlayChatList::currentRemoved, this, &PlayPage::newChat);
    connect(m_models, &PlayModelPicker::chosen, this, &PlayPage::openModel);
    connect(m_models, &PlayModelPicker::refreshed, this, &Page::pageReady);
    connect(m_chats, &PlayChatList::failed, this, &PlayPage::showFailure);
    connect(m_models, &PlayModelPicker::failed, this, &PlayPage::showFailure);
    connect(&m_services.runs, &RunController::stateChanged, this, &PlayPage::refresh);
}

void PlayPage::refresh() {
    m_chats->refresh();
    m_models->refresh();
}

void PlayPage::openModel(const QString& path) {
    if (path.isEmpty()) return;
    m_models->setPath(path);
    m_services.playground.load(path);
}

void PlayPage::showLoaded(const ModelInfo& model) {
    m_isLoading = false;
    m_models->setStatus(
        tr("%1, context %2")
            .arg(format::fileSize(model.bytes), format::integer(model.contextLength)));
    m_settings->setContextLength(model.contextLength);
    if (!model.hasChatTemplate) {
        m_templateBanner->showMessage(BannerKind::Warn,
                                      tr("The model needs a chat template and has none. Its "
                                         "tokenizer has no chat_template. Use the "
                                         "Completion tab."),
                                      QStringLiteral("E-TMPL-01"));
    }
    Q_EMIT announced(tr("%1 is ready.").arg(model.name));
    updateControls();
    m_input->setFocus(Qt::OtherFocusReason);
}

bool PlayPage::isChat() const { return m_tabs->currentIndex() == 0; }

void PlayPage::send() {
    const QString text = m_input->toPlainText().trimmed();
    if (text.isEmpty() || !m_send->isEnabled()) return;
    m_input->clear();
    m_messages.append({QStringLiteral("user"), text});
    m_conversation->addMessage(MessageSide::You, text);
    m_conversation->addMessage(MessageSide::Model, {});
    m_chatStack->setCurrentWidget(m_conversation);
    saveChat();
    PlaygroundRequest request{true, m_messages, {}, m_settings->options()};
    const QString instruction = m_settings->instruction();
    if (!instruction.isEmpty()) request.messages.prepend({QStringLiteral("system"), instruction});
    m_answersChat = true;
    generate(request);
}

void PlayPage::complete() {
    if (m_services.playground.isGenerating() || m_completion->text().isEmpty()) return;
    m_answersChat = false;
    generate({false, {}, m_completion->text(), m_settings->options()});
}

void PlayPage::generate(const PlaygroundRequest& request) {
    m_banner->dismiss();
    m_services.playground.generate(request);
    updateControls();
}

void PlayPage::takeText(const QString& text) {
    if (!m_answersChat) {
        m_completion->append(text);
    } else if (MessageWidget* answer = m_conversation->last()) {
        answer->appendText(text);
    }
}

void PlayPage::takeAnswer(const AnswerStats& stats) {
    const QString figures = figuresOf(stats);
    if (m_answersChat) {
        if (MessageWidget* answer = m_conversation->last()) {
            answer->finish(figures);
            m_messages.append({QStringLiteral("assistant"), answer->text()});
            saveChat();
        }
    } else {
        m_completion->setFigures(figures);
    }
    Q_EMIT announced(tr("Answer finished, %1.").arg(figures));
    updateControls();
}

void PlayPage::takeFailure(const Failure& failure) {
    if (m_answersChat) takeBackQuestion();
    showFailure(failure);
    updateControls();
}

/// What could not be answered goes back to where it was written.
void PlayPage::takeBackQuestion() {
    m_conversation->removeLast();
    m_conversation->removeLast();
    m_input->setPlainText(m_messages.takeLast().content);
    if (m_messages.isEmpty()) m_chatStack->setCurrentIndex(0);
}

void PlayPage::showFailure(const Failure& failure) {
    m_banner->showError(failure.code, failure.message, failure.hint);
}

bool PlayPage::cancelCurrent() {
    if (!m_services.playground.isGenerating()) return false;
    m_services.playground.stop();
    return true;
}

void PlayPage::activatePrimary() {
    if (isChat()) {
        send();
    } else {
        complete();
    }
}

void PlayPage::newChat() {
    if (m_services.playground.isGenerating()) return;
    m_messages.clear();
    m_conversation->clear();
    m_chatStack->setCurrentIndex(0);
    m_chats->begin(0);
    m_tabs->setCurrentIndex(0);
    m_input->setFocus(Qt::OtherFocusReason);
}

void PlayPage::openChat(const ChatRecord& chat) {
    if (m_services.playground.isGenerating()) return;
    try {
        m_messages = messagesFrom(chat.messages);
    } catch (...) {
        showFailure(failureOf(std::current_exception()));
        return;
    }
    m_chats->begin(chat.id);
    m_conversation->clear();
    for (const ChatMessage& message : m_messages) {
        const bool isModel = message.role == QLatin1String("assistant");
        m_conversation->addMessage(isModel ? MessageSide::Model : MessageSide::You, message.content)
            ->finish({});
    }
    m_chatStack->setCurrentWidget(m_conversation);
    m_tabs->setCurrentIndex(0);
    const QString model = QString::fromStdString(chat.model);
    if (m_models->path().isEmpty() && QFileInfo::exists(model)) openModel(model);
}

void PlayPage::saveChat() {
    QString title = m_messages.first().content.simplified();
    if (title.size() > titleLength) title = title.left(titleLength) + QStringLiteral("…");
    m_chats->save({.title = title.toStdString(),
                   .model = m_models->path().toStdString(),
                   .messages = toJson(m_messages).dump(),
                   .changed_unix = QDateTime::currentSecsSinceEpoch()});
}

void PlayPage::updateControls() {
    const PlaygroundWorker& worker = m_services.playground;
    const bool isBusy = worker.isGenerating();
    const bool isReady = worker.isLoaded() && !isBusy && !m_isLoading;
    if (m_send->hasFocus() || m_stop->hasFocus()) m_input->setFocus(Qt::OtherFocusReason);
    m_send->setVisible(!(isBusy && m_answersChat));
    m_stop->setVisible(isBusy && m_answersChat);
    m_send->setEnabled(isReady && worker.model().hasChatTemplate);
    m_completion->setBusy(isBusy && !m_answersChat);
    m_completion->setCanContinue(isReady);
    m_models->setEnabled(!isBusy);
    m_chats->setEnabled(!isBusy);
}

}  // namespace espalier::ui
