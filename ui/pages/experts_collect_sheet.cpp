#include "ui/pages/experts_collect_sheet.h"

#include <QCheckBox>
#include <QHBoxLayout>
#include <QSpinBox>
#include <QTableView>
#include <QVBoxLayout>
#include <chrono>

#include "ui/bridge/background_worker.h"
#include "ui/bridge/compress_draft.h"
#include "ui/bridge/sample.h"
#include "ui/models/data_files_model.h"
#include "ui/models/format.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/field.h"
#include "ui/widgets/file_dialogs.h"
#include "ui/widgets/info_view.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/table_setup.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {
namespace {

using namespace std::chrono_literals;

constexpr auto askDelay = 150ms;
constexpr int leastTokens = 1'000;
constexpr int mostTokens = 16'000'000;
constexpr int sampleTokens = 40'000;
constexpr int tableLines = 5;

}  // namespace

ExpertsCollectSheet::ExpertsCollectSheet(const Services& services, const QString& model,
                                         QWidget* parent)
    : ExpertsRunSheet(services, QStringLiteral("dlgCollect"),
                      tr("Collect statistics of %1").arg(modelName(model)), parent),
      m_model(model),
      m_texts(new DataFilesModel(this)) {
    buildLayout();
    m_timer.setSingleShot(true);
    m_timer.setInterval(askDelay);
    connect(&m_timer, &QTimer::timeout, this, &ExpertsCollectSheet::estimate);
    connect(m_texts, &DataFilesModel::sourcesChanged, this, [this] {
        m_textsField->setProblem({});
        m_timer.start();
    });
    connect(m_tokens, &QSpinBox::valueChanged, &m_timer, qOverload<>(&QTimer::start));
    for (QCheckBox* box : {m_all, m_own})
        connect(box, &QCheckBox::toggled, &m_timer, qOverload<>(&QTimer::start));
    const auto sample = sampleFolder();
    if (sample && model.startsWith(*sample)) {
        m_texts->setSources(sampleDraft(*sample).data);
        m_tokens->setValue(sampleTokens);
    }
    estimate();
}

void ExpertsCollectSheet::buildLayout() {
    m_tokens = new QSpinBox;
    m_tokens->setObjectName(QStringLiteral("dlgCollect_tokens_spin"));
    m_tokens->setRange(leastTokens, mostTokens);
    m_tokens->setSingleStep(10'000);
    m_tokens->setGroupSeparatorShown(true);
    m_tokens->setSuffix(tr(" tokens"));
    m_tokens->setValue(static_cast<int>(CollectDraft().tokens));
    m_all = new QCheckBox(tr("Gather what every criterion needs"));
    m_all->setObjectName(QStringLiteral("dlgCollect_all_chk"));
    m_all->setToolTip(
        tr("Without it: REAP and the basic criteria. With it, the run takes longer "
           "and its files are larger."));
    m_early = new QCheckBox(tr("End early once more text changes nothing"));
    m_early->setObjectName(QStringLiteral("dlgCollect_early_chk"));
    m_early->setToolTip(
        tr("Measures on an eighth of the texts, then on twice as much and so on, until the same "
           "half of the experts would be kept as before. The model is read once for each."));
    m_own = new QCheckBox(tr("Let the model write some of the text"));
    m_own->setObjectName(QStringLiteral("dlgCollect_own_chk"));
    m_own->setToolTip(
        tr("It goes on from the beginnings of your texts, for a tenth of the time. Its own words "
           "are routed as its answers will be."));
    m_cost = new InfoView(QStringLiteral("dlgCollect_cost_view"));
    m_cost->setAccessibleName(tr("Predicted cost"));
    content().addWidget(new TextLabel(
        TextKind::Secondary,
        tr("Reads the whole model once, layer by layer, on your texts. Experts that these texts "
           "use show as important. A tenth of the texts is kept out, to measure plans on.")));
    content().addWidget(makeTexts());
    content().addWidget(new Field(tr("&Tokens to measure on"), m_tokens));
    auto* boxes = new QVBoxLayout;
    boxes->setSpacing(space::controls);
    for (QCheckBox* box : {m_all, m_early, m_own}) boxes->addWidget(box);
    content().addLayout(boxes);
    content().addWidget(m_cost);
    addButtons();
}

QWidget* ExpertsCollectSheet::makeTexts() {
    m_table = new QTableView;
    m_table->setObjectName(QStringLiteral("dlgCollect_texts_table"));
    m_table->setModel(m_texts);
    m_table->setMinimumHeight(fontMetrics().height() * 2 * tableLines);
    setUpTable(*m_table);
    m_textsField = new Field(tr("Te&xts like your work"), m_table,
                             tr("Text or JSON lines. Press F2 to change a task or a weight."));
    auto* add = new PushButton(QStringLiteral("dlgCollect_add_btn"), tr("&Add files…"));
    auto* remove = new PushButton(QStringLiteral("dlgCollect_remove_btn"), tr("&Remove"));
    connect(add, &QPushButton::clicked, this, [this] {
        askForFiles(*this, tr("Add texts"), tr("Texts (*.txt *.jsonl);;All files (*)"),
                    [this](const QStringList& paths) {
                        for (const QString& path : paths) m_texts->addFile(path);
                    });
    });
    connect(remove, &QPushButton::clicked, this, [this] {
        if (m_table->currentIndex().isValid()) m_texts->removeFile(m_table->currentIndex().row());
    });
    auto* buttons = new QHBoxLayout;
    buttons->addWidget(add);
    buttons->addWidget(remove);
    buttons->addStretch(1);
    auto* box = new QWidget;
    auto* layout = new QVBoxLayout(box);
    layout->setContentsMargins({});
    layout->addWidget(m_textsField);
    layout->addLayout(buttons);
    return box;
}

CollectDraft ExpertsCollectSheet::draft() const {
    return {.model = m_model,
            .data = m_texts->sources(),
            .tokens = m_tokens->value(),
            .gathersAll = m_all->isChecked(),
            .endsEarly = m_early->isChecked(),
            .writesOwnText = m_own->isChecked()};
}

void ExpertsCollectSheet::estimate() {
    services().worker.ask(
        this, "cost", [draft = draft()](TaskContext&) { return estimateCollect(draft); },
        [this](const StageEstimate& cost) {
            const auto row = [](const char* id, const QString& label, const QString& value) {
                return InfoRow{QLatin1String(id), label, format::estimated(value), true, {}};
            };
            m_cost->setRows({row("time", tr("Time"), format::duration(cost.seconds)),
                             row("memory", tr("Memory"), format::memory(cost.peak_bytes)),
                             row("disk", tr("Disk"),
                                 format::fileSize(cost.output_bytes + cost.scratch_bytes))});
        },
        [this](const Failure& failure) { showFailure(failure); });
}

bool ExpertsCollectSheet::isReady() {
    if (m_texts->rowCount() > 0) return true;
    m_textsField->setProblem(tr("Add at least one text: experts are measured on it."));
    m_table->setFocus(Qt::OtherFocusReason);
    return false;
}

std::function<RunRequest()> ExpertsCollectSheet::makeRun() const {
    return [draft = draft()] {
        validate(collectRecipe(draft));
        return collectRun(draft);
    };
}

std::function<QString()> ExpertsCollectSheet::makeCommand() const {
    return [draft = draft()] { return collectCommand(draft); };
}

}  // namespace espalier::ui
