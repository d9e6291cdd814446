#include "ui/pages/wizard_data_step.h"

#include <QDragEnterEvent>
#include <QHBoxLayout>
#include <QMimeData>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QTableView>
#include <QVBoxLayout>

#include "ui/models/data_files_model.h"
#include "ui/models/format.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/drop_area.h"
#include "ui/widgets/field.h"
#include "ui/widgets/file_dialogs.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/table_setup.h"

namespace espalier::ui {
namespace {

constexpr int leastTokens = 1'000;
constexpr int mostTokens = 16'000'000;
constexpr int stableTokens = 250'000;
constexpr int tableLines = 4;

}  // namespace

WizardDataStep::WizardDataStep(QWidget* parent) : WizardStep(parent) {
    setAcceptDrops(true);
    buildLayout();
    connect(m_calibration.model, &DataFilesModel::sourcesChanged, this, [this] {
        m_calibration.field->setProblem({});
        Q_EMIT changed();
    });
    connect(m_measured.model, &DataFilesModel::sourcesChanged, this, &WizardStep::changed);
    connect(m_tokens, &QSpinBox::valueChanged, this, [this] {
        m_tokensField->setHelp(warning());
        Q_EMIT changed();
    });
}

void WizardDataStep::buildLayout() {
    m_tokens = new QSpinBox;
    m_tokens->setObjectName(QStringLiteral("wiz_data_calib_spin"));
    m_tokens->setRange(leastTokens, mostTokens);
    m_tokens->setSingleStep(10'000);
    m_tokens->setGroupSeparatorShown(true);
    m_tokens->setSuffix(tr(" tokens"));
    m_tokensField = new Field(tr("&Tokens to measure on"), m_tokens);
    m_tokens->setMaximumWidth(240);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->setSpacing(space::groups);
    layout->addWidget(
        makeSection(m_calibration, QStringLiteral("train"), tr("Texts like &your work"),
                    tr("Experts that these texts use are kept. Text or JSON lines; double-click a "
                       "task or weight, or press F2, to change it.")));
    layout->addWidget(m_tokensField);
    layout->addWidget(
        makeSection(m_measured, QStringLiteral("measure"), tr("Texts to &compare on afterwards"),
                    tr("Not among those above. Without any, nothing is measured at the end.")));
    layout->addStretch(1);
}

QWidget* WizardDataStep::makeSection(Section& section, const QString& part, const QString& label,
                                     const QString& help) {
    section.model = new DataFilesModel(this);
    section.table = new QTableView;
    section.table->setObjectName(QStringLiteral("wiz_data_%1_table").arg(part));
    section.table->setModel(section.model);
    section.table->setMinimumHeight(fontMetrics().height() * 2 * tableLines);
    setUpTable(*section.table);
    section.field = new Field(label, section.table, help);
    auto* add = new PushButton(QStringLiteral("wiz_data_%1_add_btn").arg(part), tr("Add files…"));
    add->setAccessibleName(tr("Add files to: %1").arg(section.table->accessibleName()));
    section.remove =
        new PushButton(QStringLiteral("wiz_data_%1_remove_btn").arg(part), tr("Remove"));
    section.remove->setAccessibleName(
        tr("Remove the chosen file from: %1").arg(section.table->accessibleName()));
    connect(add, &QPushButton::clicked, this, [this, model = section.model] {
        askForFiles(*this, tr("Add texts"), tr("Texts (*.txt *.jsonl);;All files (*)"),
                    [model](const QStringList& paths) {
                        for (const QString& path : paths) model->addFile(path);
                    });
    });
    connect(section.remove, &QPushButton::clicked, this,
            [this, &section] { removeSelected(section); });
    auto* buttons = new QHBoxLayout;
    buttons->addWidget(add);
    buttons->addWidget(section.remove);
    buttons->addStretch(1);
    auto* box = new QWidget;
    auto* layout = new QVBoxLayout(box);
    layout->setContentsMargins({});
    layout->setSpacing(space::controls);
    layout->addWidget(section.field);
    layout->addLayout(buttons);
    return box;
}

void WizardDataStep::removeSelected(const Section& section) {
    const QModelIndex index = section.table->currentIndex();
    if (index.isValid()) section.model->removeFile(index.row());
}

void WizardDataStep::addFiles(const QStringList& paths) {
    for (const QString& path : paths) m_calibration.model->addFile(path);
}

void WizardDataStep::showDraft(const CompressDraft& draft) {
    const QSignalBlocker blockers[]{QSignalBlocker(m_tokens)};
    if (m_calibration.model->sources() != draft.data) m_calibration.model->setSources(draft.data);
    if (m_measured.model->sources() != draft.measured) m_measured.model->setSources(draft.measured);
    m_tokens->setValue(static_cast<int>(draft.tokens));
    m_tokensField->setHelp(warning());
}

void WizardDataStep::writeTo(CompressDraft& draft) const {
    draft.data = m_calibration.model->sources();
    draft.measured = m_measured.model->sources();
    draft.tokens = m_tokens->value();
}

QString WizardDataStep::warning() const {
    if (m_tokens->value() >= stableTokens) return tr("Shared among the texts by their weights.");
    return tr("Rankings are unstable below ≈ %1 tokens; enough for a first look.")
        .arg(format::integer(stableTokens));
}

QString WizardDataStep::check() {
    QString problem;
    if (m_calibration.model->rowCount() == 0) {
        problem = tr("Add at least one text: experts are kept for what it needs.");
    }
    m_calibration.field->setProblem(problem);
    return problem;
}

void WizardDataStep::focusFirst() { m_calibration.table->setFocus(Qt::OtherFocusReason); }

void WizardDataStep::dragEnterEvent(QDragEnterEvent* event) {
    if (!localPaths(*event->mimeData()).isEmpty()) event->acceptProposedAction();
}

void WizardDataStep::dropEvent(QDropEvent* event) {
    event->acceptProposedAction();
    addFiles(localPaths(*event->mimeData()));
}

}  // namespace espalier::ui
