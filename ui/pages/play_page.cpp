#include "ui/pages/play_page.h"

#include <QComboBox>
#include <QDateTime>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QSignalBlocker>
#include <QSplitter>
#include <QStackedWidget>
#include <QTabWidget>
#include <QVBoxLayout>
#include <utility>

#include "base/json.h"
#include "ui/bridge/background_worker.h"
#include "ui/bridge/playground_worker.h"
#include "ui/bridge/run_controller.h"
#include "ui/bridge/run_summary.h"
#include "ui/bridge/sample.h"
#include "ui/models/format.h"
#include "ui/pages/play_chat_list.h"
#include "ui/pages/play_completion.h"
#include "ui/pages/play_settings_panel.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/conversation_view.h"
#include "ui/widgets/file_dialogs.h"
#include "ui/widgets/icon_button.h"
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
    m_chats = new PlayChatList(m_services);
    m_chats->setMinimumWidth(sideWidth);
    m_settings = new PlaySettingsPanel;
    m_settings->setMinimumWidth(sideWidth);
    m_completion = new PlayCompletion;
    m_tabs = new QTabWidget;
    m_tabs->setObjectName(QStringLiteral("play_mode_tabs"));
    m_tabs->setAccessibleName(tr("Mode"));
    m_tabs->tabBar()->setObjectName(QStringLiteral("play_mode_tabs_bar"));
    m_tabs->tabBar()->setAccessibleName(tr("Mode"));
    m_tabs->addTab(makeChat(), tr("C&hat"));
    m_tabs->addTab(m_completion, tr("Comp&letion"));
    auto* middle = new QWidget;
    auto* column = new QVBoxLayout(middle);
    column->setContentsMargins({});
    column->setSpacing(space::controls);
    column->addWidget(makeTop());
    column->addWidget(m_banner);
    column->addWidget(m_tabs, 1);
    auto* split = new QSplitter(Qt::Horizontal);
    for (QWidget* pane : std::initializer_list<QWidget*>{m_chats, middle, m_settings})
        split->addWidget(pane);
    split->setStretchFactor(1, 1);
    split->setChildrenCollapsible(false);
    split->setHandleWidth(space::groups);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(space::groups, space::pageMargin, space::groups, space::pageMargin);
    layout->addWidget(split);
}

QWidget* PlayPage::makeTop() {
    m_models = new QComboBox;
    m_models->setObjectName(QStringLiteral("play_left_model_combo"));
    m_models->setAccessibleName(tr("Model to talk to"));
    m_models->setPlaceholderText(tr("Choose a model"));
    m_models->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_models->setMinimumContentsLength(24);
    auto* folder = new IconButton(QStringLiteral("play_left_folder_btn"), QStringLiteral("folder"),
                                  tr("Browse model folders"));
    auto* file = new PushButton(QStringLiteral("play_left_file_btn"), tr("GG&UF…"));
    file->setAccessibleName(tr("Browse GGUF files"));
    m_status = new TextLabel(TextKind::Secondary);
    m_status->setObjectName(QStringLiteral("play_left_status_label"));
    m_status->setWordWrap(false);
    m_banner = new Banner(QStringLiteral("play_banner"));
    connect(m_models, &QComboBox::activated, this,
            [this] { openModel(m_models->currentData().toString()); });
    connect(folder, &QToolButton::clicked, this, [this] { browse(true); });
    connect(file, &QPushButton::clicked, this, [this] { browse(false); });
    auto* top = new QWidget;
    auto* layout = new QHBoxLayout(top);
    layout->setContentsMargins({});
    layout->addWidget(m_models, 1);
    layout->addWidget(folder);
    layout->addWidget(file);
    layout->addWidget(m_status);
    return top;
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
        m_status->setText(tr("Opening %1…").arg(QFileInfo(path).fileName()));
        updateControls();
    });
    connect(worker, &PlaygroundWorker::loaded, this, &PlayPage::showLoaded);
    connect(worker, &PlaygroundWorker::loadFailed, this, [this](const Failure& failure) {
        m_isLoading = false;
        m_status->clear();
        m_banner->showError(failure.code, failure.message, failure.hint);
        updateControls();
    });
    connect(worker, &PlaygroundWorker::textArrived, this, &PlayPage::takeText);
    connect(worker, &PlaygroundWorker::answered, this, &PlayPage::takeAnswer);
    connect(worker, &PlaygroundWorker::generationFailed, this, &PlayPage::takeFailure);
    connect(m_completion, &PlayCompletion::continueRequested, this, &PlayPage::complete);
    connect(m_completion, &PlayCompletion::stopRequested, this, &PlayPage::cancelCurrent);
    connect(m_chats, &PlayChatList::newRequested, this, &PlayPage::newChat);
    connect(m_chats, &PlayChatList::chatOpened, this, &PlayPage::openChat);
    connect(m_chats, &PlayChatList::chatRemoved, this, [this](qint64 id) {
        if (id == m_chatId) newChat();
    });
    connect(m_chats, &PlayChatList::saved, this, &PlayPage::takeSaved);
    connect(m_chats, &PlayChatList::failed, m_banner, &Banner::showError);
    connect(&m_services.runs, &RunController::stateChanged, this, &PlayPage::refresh);
}

void PlayPage::refresh() {
    m_chats->refresh();
    using Found = std::pair<std::vector<ModelRecord>, std::vector<RunSummary>>;
    m_services.worker.ask(
        this, "models",
        [](TaskContext& context) {
            return Found(context.library().models(), readRuns(context.library(), {}));
        },
        [this](const Found& found) { fillModels(found.first, found.second); },
        [this](const Failure& failure) {
            m_banner->showError(failure.code, failure.message, failure.hint);
        });
}

void PlayPage::fillModels(const std::vector<ModelRecord>& models,
                          const std::vector<RunSummary>& runs) {
    const QSignalBlocker blocker(m_models);
    m_models->clear();
    if (const auto sample = sampleFolder())
        addModel(tr("The bundled sample"), *sample + QStringLiteral("/model"));
    for (const RunSummary& run : runs) {
        if (!run.resultPath.isEmpty() && QFileInfo::exists(run.resultPath)) {
            addModel(tr("%1 (result of a run)").arg(run.name), run.resultPath);
        }
    }
    for (const ModelRecord& model : models) {
        addModel(QString::fromStdString(model.name), QString::fromStdString(model.path));
    }
    if (!m_modelPath.isEmpty()) addModel(m_modelPath, m_modelPath);
    m_models->setCurrentIndex(m_models->findData(m_modelPath));
    Q_EMIT pageReady();
}

void PlayPage::addModel(const QString& label, const QString& path) {
    if (m_models->findData(path) >= 0) return;
    m_models->addItem(label, path);
    m_models->setItemData(m_models->count() - 1, path, Qt::ToolTipRole);
}

void PlayPage::browse(bool folder) {
    if (folder) {
        askForFolder(*this, tr("Choose a model folder"),
                     [this](const QString& path) { openModel(path); });
    } else {
        askForFiles(*this, tr("Choose a GGUF file"), tr("Models (*.gguf)"),
                    [this](const QStringList& paths) { openModel(paths.value(0)); });
    }
}

void PlayPage::openModel(const QString& path) {
    if (path.isEmpty()) return;
    m_modelPath = path;
    addModel(path, path);
    m_models->setCurrentIndex(m_models->findData(path));
    m_services.playground.load(path);
}

void PlayPage::showLoaded(const ModelInfo& model) {
    m_isLoading = false;
    m_status->setText(
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
    if (m_answersChat) m_conversation->removeLast();
    m_banner->showError(failure.code, failure.message, failure.hint);
    updateControls();
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
    beginSession(0);
    m_messages.clear();
    m_conversation->clear();
    m_chatStack->setCurrentIndex(0);
    m_chats->setCurrent(0);
    m_tabs->setCurrentIndex(0);
    m_input->setFocus(Qt::OtherFocusReason);
}

void PlayPage::openChat(const ChatRecord& chat) {
    if (m_services.playground.isGenerating()) return;
    try {
        m_messages = messagesFrom(chat.messages);
    } catch (...) {
        const Failure failure = failureOf(std::current_exception());
        m_banner->showError(failure.code, failure.message, failure.hint);
        return;
    }
    beginSession(chat.id);
    m_conversation->clear();
    for (const ChatMessage& message : m_messages) {
        const bool isModel = message.role == QLatin1String("assistant");
        m_conversation->addMessage(isModel ? MessageSide::Model : MessageSide::You, message.content)
            ->finish({});
    }
    m_chatStack->setCurrentWidget(m_conversation);
    m_tabs->setCurrentIndex(0);
    const QString model = QString::fromStdString(chat.model);
    if (m_modelPath.isEmpty() && QFileInfo::exists(model)) openModel(model);
}

void PlayPage::beginSession(std::int64_t id) {
    m_chatId = id;
    ++m_session;
    m_isSavingNew = false;
    m_savesAgain = false;
}

void PlayPage::takeSaved(std::int64_t id, quint64 session) {
    if (session != m_session) return;
    m_chatId = id;
    m_isSavingNew = false;
    m_chats->setCurrent(id);
    if (std::exchange(m_savesAgain, false)) saveChat();
}

void PlayPage::saveChat() {
    if (m_isSavingNew) {
        m_savesAgain = true;
        return;
    }
    m_isSavingNew = m_chatId == 0;
    QString title = m_messages.first().content.simplified();
    if (title.size() > titleLength) title = title.left(titleLength) + QStringLiteral("…");
    m_chats->save({.id = m_chatId,
                   .title = title.toStdString(),
                   .model = m_modelPath.toStdString(),
                   .messages = toJson(m_messages).dump(),
                   .changed_unix = QDateTime::currentSecsSinceEpoch()},
                  m_session);
}

void PlayPage::updateControls() {
    const PlaygroundWorker& worker = m_services.playground;
    const bool isBusy = worker.isGenerating();
    const bool isReady = worker.isLoaded() && !isBusy && !m_isLoading;
    m_send->setVisible(!(isBusy && m_answersChat));
    m_stop->setVisible(isBusy && m_answersChat);
    m_send->setEnabled(isReady && worker.model().hasChatTemplate);
    m_completion->setBusy(isBusy && !m_answersChat);
    m_completion->setCanContinue(isReady);
    m_models->setEnabled(!isBusy);
}

}  // namespace espalier::ui
