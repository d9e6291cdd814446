#include "ui/pages/wizard_model_step.h"

#include <QComboBox>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QSignalBlocker>
#include <QTimer>
#include <QVBoxLayout>

#include "ui/bridge/background_worker.h"
#include "ui/bridge/sample.h"
#include "ui/models/format.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/field.h"
#include "ui/widgets/file_dialogs.h"
#include "ui/widgets/info_view.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {
namespace {

constexpr int maxNameLength = 96;

std::vector<InfoRow> rowsOf(const ModelInfo& model) {
    const auto row = [](const char* id, const QString& label, const QString& value) {
        return InfoRow{QLatin1String(id), label, value, false, {}};
    };
    return {
        row("family", WizardModelStep::tr("Family"), model.family),
        row("layers", WizardModelStep::tr("Layers"),
            WizardModelStep::tr("%1, %2 of them with experts")
                .arg(model.layers)
                .arg(model.routedLayers)),
        row("experts", WizardModelStep::tr("Experts"),
            WizardModelStep::tr("%1 in each layer, %2 for each token")
                .arg(model.experts)
                .arg(model.topK)),
        row("parameters", WizardModelStep::tr("Parameters"),
            WizardModelStep::tr("%1, %2 active for a token")
                .arg(format::parameters(model.parameters),
                     format::parameters(model.activeParameters))),
        row("bytes", WizardModelStep::tr("Size"),
            WizardModelStep::tr("%1 (%2)").arg(format::fileSize(model.bytes), model.storedType)),
        row("context", WizardModelStep::tr("Context"),
            WizardModelStep::tr("%1 tokens").arg(format::integer(model.contextLength))),
        row("template", WizardModelStep::tr("Chat template"),
            model.hasChatTemplate ? WizardModelStep::tr("yes") : WizardModelStep::tr("none")),
        row("path", WizardModelStep::tr("Where"), model.path),
    };
}

}  // namespace

WizardModelStep::WizardModelStep(const Services& services, QWidget* parent)
    : WizardStep(parent), m_services(services) {
    buildLayout();
    connect(m_pick, &QComboBox::activated, this,
            [this] { choose(m_pick->currentData().toString()); });
    connect(m_name, &QLineEdit::textEdited, this, &WizardStep::changed);
    connect(m_name, &QLineEdit::editingFinished, this, &WizardModelStep::check);
}

void WizardModelStep::buildLayout() {
    m_pick = new QComboBox;
    m_pick->setObjectName(QStringLiteral("wiz_model_pick_combo"));
    m_pick->setPlaceholderText(tr("Choose a model"));
    m_pick->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_pickField = new Field(
        tr("&Model"), m_pick,
        tr("A folder as the model hub has it, or a .gguf. It is only read, never changed."));
    auto* folder = new PushButton(QStringLiteral("wiz_model_folder_btn"), tr("Br&owse folder…"));
    auto* file = new PushButton(QStringLiteral("wiz_model_file_btn"), tr("Browse &GGUF…"));
    connect(folder, &QPushButton::clicked, this, &WizardModelStep::browseFolder);
    connect(file, &QPushButton::clicked, this, &WizardModelStep::browseFile);
    m_banner = new Banner(QStringLiteral("wiz_model_banner"));
    m_info = new InfoView(QStringLiteral("wiz_model_info_view"));
    m_info->setAccessibleName(tr("About the model"));
    m_busy = new TextLabel(TextKind::Secondary, tr("Reading the model's headers…"));
    m_busy->hide();
    m_name = new QLineEdit;
    m_name->setObjectName(QStringLiteral("wiz_model_name_edit"));
    m_name->setMaxLength(maxNameLength);
    m_nameField = new Field(tr("&Name of the result"), m_name);

    auto* buttons = new QHBoxLayout;
    buttons->addWidget(folder);
    buttons->addWidget(file);
    buttons->addStretch(1);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->setSpacing(space::groups);
    layout->addWidget(m_pickField);
    layout->addLayout(buttons);
    layout->addWidget(m_banner);
    layout->addWidget(m_busy);
    layout->addWidget(m_info);
    layout->addWidget(m_nameField);
    layout->addStretch(1);
}

void WizardModelStep::refresh() {
    m_services.worker.ask(
        this, "models", [](TaskContext& context) { return context.library().models(); },
        [this](const std::vector<ModelRecord>& models) {
            const QSignalBlocker blocker(m_pick);
            m_pick->clear();
            if (const auto sample = sampleFolder()) {
                m_pick->addItem(tr("The bundled sample"), *sample + QStringLiteral("/model"));
            }
            for (const ModelRecord& model : models) {
                m_pick->addItem(QString::fromStdString(model.name),
                                QString::fromStdString(model.path));
            }
            m_pick->setCurrentIndex(-1);
            if (!m_path.isEmpty()) choose(m_path);
        },
        [this](const Failure& failure) { showFailure(failure); });
}

void WizardModelStep::clear() {
    m_path.clear();
    m_model.reset();
    m_pick->setCurrentIndex(-1);
    m_info->setRows({});
    m_banner->dismiss();
    m_pickField->setProblem({});
    m_nameField->setProblem({});
}

void WizardModelStep::showDraft(const CompressDraft& draft) {
    if (m_name->text() != draft.name) m_name->setText(draft.name);
    if (draft.model != m_path) choose(draft.model);
}

void WizardModelStep::writeTo(CompressDraft& draft) const {
    draft.model = m_path;
    draft.name = m_name->text().trimmed();
}

void WizardModelStep::choose(const QString& path) {
    if (path.isEmpty()) return;
    int row = m_pick->findData(path);
    if (row < 0) {
        m_pick->addItem(path, path);
        row = m_pick->count() - 1;
    }
    m_pick->setCurrentIndex(row);
    m_pick->setToolTip(path);
    if (path == m_path && m_model) return;
    m_path = path;
    m_model.reset();
    m_isReading = true;
    QTimer::singleShot(150, m_busy, [this] { m_busy->setVisible(m_isReading); });
    Q_EMIT changed();
    m_services.worker.ask(
        this, "model", [file = path.toStdString()](TaskContext&) { return readModelInfo(file); },
        [this](const ModelInfo& model) { showModel(model); },
        [this](const Failure& failure) { showFailure(failure); });
}

void WizardModelStep::showModel(const ModelInfo& model) {
    m_isReading = false;
    m_busy->hide();
    m_model = model;
    m_banner->dismiss();
    m_pickField->setProblem({});
    m_info->setRows(rowsOf(model));
    if (model.experts == 0) {
        m_banner->showMessage(BannerKind::Info,
                              tr("This model has no experts. It can be stored in fewer bits; "
                                 "the prune stage is off."));
    }
    Q_EMIT modelRead(model);
}

void WizardModelStep::showFailure(const Failure& failure) {
    m_isReading = false;
    m_busy->hide();
    m_info->setRows({});
    m_banner->showError(failure.code, failure.message, failure.hint);
    Q_EMIT changed();
}

void WizardModelStep::browseFolder() {
    askForFolder(*this, tr("Choose a model folder"), [this](const QString& path) { choose(path); });
}

void WizardModelStep::browseFile() {
    askForFiles(*this, tr("Choose a GGUF file"), tr("Models (*.gguf)"),
                [this](const QStringList& paths) { choose(paths.value(0)); });
}

QString WizardModelStep::check() {
    QString problem;
    if (m_path.isEmpty()) {
        problem = tr("Choose a model: its experts are what is measured and cut.");
    } else if (!m_model && !m_isReading) {
        problem = tr("Choose another model: this one cannot be opened.");
    }
    m_pickField->setProblem(problem);
    QString nameProblem;
    const QString name = m_name->text().trimmed();
    if (name.isEmpty() || name.contains(QLatin1Char('/')) || name.startsWith(QLatin1Char('.'))) {
        nameProblem = tr("Give the result a name of 1 to %1 characters, without “/” and not "
                         "starting with a dot.")
                          .arg(maxNameLength);
    }
    m_nameField->setProblem(m_path.isEmpty() ? QString() : nameProblem);
    return problem.isEmpty() ? nameProblem : problem;
}

void WizardModelStep::focusFirst() {
    QWidget* field = m_path.isEmpty() || !m_model ? static_cast<QWidget*>(m_pick) : m_name;
    field->setFocus(Qt::OtherFocusReason);
}

}  // namespace espalier::ui
