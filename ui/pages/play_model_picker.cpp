#include "ui/pages/play_model_picker.h"

#include <QComboBox>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QMenu>
#include <QSignalBlocker>
#include <QVBoxLayout>
#include <utility>

#include "ui/bridge/background_worker.h"
#include "ui/bridge/sample.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/file_dialogs.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {

PlayModelPicker::PlayModelPicker(const Services& services, QWidget* parent)
    : QWidget(parent), m_services(services) {
    buildLayout();
}

void PlayModelPicker::buildLayout() {
    m_models = new QComboBox;
    m_models->setObjectName(QStringLiteral("play_left_model_combo"));
    m_models->setAccessibleName(tr("Model to talk to"));
    m_models->setPlaceholderText(tr("Choose a model"));
    m_models->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_models->setMinimumContentsLength(12);
    connect(m_models, &QComboBox::activated, this,
            [this] { Q_EMIT chosen(m_models->currentData().toString()); });
    auto* browse = (new PushButton(QStringLiteral("play_left_browse_btn"), tr("Browse")))
                       ->withIcon(QStringLiteral("folder"));
    browse->setAccessibleName(tr("Browse for a model"));
    auto* menu = new QMenu(browse);
    menu->setObjectName(QStringLiteral("play_left_browse_menu"));
    menu->addAction(tr("Model &folder…"), this, &PlayModelPicker::browseFolder);
    menu->addAction(tr("&GGUF file…"), this, &PlayModelPicker::browseFile);
    browse->setMenu(menu);
    m_status = new TextLabel(TextKind::Caption);
    m_status->setObjectName(QStringLiteral("play_left_status_label"));
    m_status->hide();
    auto* line = new QHBoxLayout;
    line->addWidget(m_models, 1);
    line->addWidget(browse);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->setSpacing(space::inGroup);
    layout->addLayout(line);
    layout->addWidget(m_status);
}

void PlayModelPicker::refresh() {
    using Found = std::pair<std::vector<ModelRecord>, std::vector<RunSummary>>;
    m_services.worker.ask(
        this, "models",
        [](TaskContext& context) {
            return Found(context.library().models(), readRuns(context.library(), {}));
        },
        [this](const Found& found) { fill(found.first, found.second); },
        [this](const Failure& failure) { Q_EMIT failed(failure); });
}

void PlayModelPicker::fill(const std::vector<ModelRecord>& models,
                           const std::vector<RunSummary>& runs) {
    const QSignalBlocker blocker(m_models);
    m_models->clear();
    if (const auto sample = sampleFolder())
        add(tr("The bundled sample"), *sample + QStringLiteral("/model"));
    for (const RunSummary& run : runs) {
        if (!run.resultPath.isEmpty() && QFileInfo::exists(run.resultPath)) {
            add(tr("%1 (result of a run)").arg(run.name), run.resultPath);
        }
    }
    for (const ModelRecord& model : models) {
        add(QString::fromStdString(model.name), QString::fromStdString(model.path));
    }
    m_models->setCurrentIndex(-1);
    if (!m_path.isEmpty()) setPath(m_path);
    Q_EMIT refreshed();
}

void PlayModelPicker::add(const QString& label, const QString& path) {
    if (m_models->findData(path) >= 0) return;
    m_models->addItem(label, path);
    m_models->setItemData(m_models->count() - 1, path, Qt::ToolTipRole);
}

void PlayModelPicker::setPath(const QString& path) {
    m_path = path;
    add(path, path);
    m_models->setCurrentIndex(m_models->findData(path));
    m_models->setToolTip(path);
}

void PlayModelPicker::setStatus(const QString& text) {
    m_status->setText(text);
    m_status->setVisible(!text.isEmpty());
}

void PlayModelPicker::browseFolder() {
    askForFolder(*this, tr("Choose a model folder"),
                 [this](const QString& path) { Q_EMIT chosen(path); });
}

void PlayModelPicker::browseFile() {
    askForFiles(*this, tr("Choose a GGUF file"), tr("Models (*.gguf)"),
                [this](const QStringList& paths) { Q_EMIT chosen(paths.value(0)); });
}

}  // namespace espalier::ui
