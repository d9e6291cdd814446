#include "ui/pages/experts_sources.h"

#include <QBoxLayout>
#include <QComboBox>
#include <QFileInfo>
#include <QLocale>
#include <QMenu>
#include <QSignalBlocker>
#include <utility>

#include "ui/bridge/background_worker.h"
#include "ui/bridge/compress_draft.h"
#include "ui/bridge/run_summary.h"
#include "ui/bridge/sample.h"
#include "ui/models/format.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/file_dialogs.h"
#include "ui/widgets/push_button.h"

namespace espalier::ui {
namespace {

constexpr int lettersOfModel = 14;
constexpr int lettersOfStats = 18;

}  // namespace

ExpertsSources::ExpertsSources(const Services& services, QWidget* parent)
    : QWidget(parent), m_services(services) {
    buildLayout();
    connectControls();
}

QComboBox* ExpertsSources::makeCombo(const QString& name, const QString& accessibleName,
                                     int letters) {
    auto* combo = new QComboBox;
    combo->setObjectName(name);
    combo->setAccessibleName(accessibleName);
    combo->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    combo->setMinimumContentsLength(letters);
    return combo;
}

void ExpertsSources::buildLayout() {
    m_models = makeCombo(QStringLiteral("exp_src_model_combo"), tr("Model"), lettersOfModel);
    m_models->setPlaceholderText(tr("Choose a model"));
    m_stats = makeCombo(QStringLiteral("exp_src_stats_combo"), tr("Statistics"), lettersOfStats);
    m_stats->setPlaceholderText(tr("No statistics"));
    m_browse = (new PushButton(QStringLiteral("exp_src_browse_btn"), tr("Browse")))
                   ->withIcon(QStringLiteral("folder"));
    m_browse->setAccessibleName(tr("Browse for a model"));
    auto* menu = new QMenu(m_browse);
    menu->setObjectName(QStringLiteral("exp_src_browse_menu"));
    menu->addAction(tr("Model &folder…"), this, &ExpertsSources::browseModel);
    menu->addAction(tr("&GGUF file…"), this, [this] {
        askForFiles(*this, tr("Choose a GGUF file"), tr("Models (*.gguf)"),
                    [this](const QStringList& paths) { openModel(paths.value(0)); });
    });
    m_browse->setMenu(menu);
    m_collect = new PushButton(QStringLiteral("exp_src_collect_btn"), tr("Collect…"));
    m_collect->setToolTip(tr("Measures on your texts what each expert does."));
    m_import = new PushButton(QStringLiteral("exp_src_import_btn"), tr("Import…"));
    m_import->setToolTip(tr("Statistics that someone else collected for this model."));
    m_export = new PushButton(QStringLiteral("exp_src_export_btn"), tr("Export…"));
    m_export->setToolTip(tr("A copy of the statistics to share. It holds no texts."));

    auto* model = new QHBoxLayout;
    model->setSpacing(space::controls);
    model->addWidget(m_models, 1);
    model->addWidget(m_browse);
    m_choice = new QBoxLayout(QBoxLayout::LeftToRight);
    m_choice->setSpacing(space::controls);
    m_choice->addLayout(model, 2);
    m_choice->addWidget(m_stats, 3);
    auto* buttons = new QHBoxLayout;
    buttons->setSpacing(space::controls);
    for (QWidget* button : {m_collect, m_import, m_export}) buttons->addWidget(button);
    buttons->addStretch(1);
    m_line = new QBoxLayout(QBoxLayout::LeftToRight, this);
    m_line->setContentsMargins({});
    m_line->setSpacing(space::controls);
    m_line->addLayout(m_choice, 1);
    m_line->addLayout(buttons);
}

void ExpertsSources::connectControls() {
    connect(m_models, &QComboBox::activated, this,
            [this] { openModel(m_models->currentData().toString()); });
    connect(m_stats, &QComboBox::activated, this, &ExpertsSources::openCurrent);
    connect(m_collect, &QPushButton::clicked, this, &ExpertsSources::collectRequested);
    connect(m_import, &QPushButton::clicked, this, &ExpertsSources::importFile);
    connect(m_export, &QPushButton::clicked, this, &ExpertsSources::exportFile);
    m_collect->setEnabled(false);
    m_import->setEnabled(false);
    m_export->setEnabled(false);
}

void ExpertsSources::arrange(bool isNarrow) {
    for (QBoxLayout* line : {m_line, m_choice})
        line->setDirection(isNarrow ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
}

void ExpertsSources::refresh() {
    readModels();
    if (!m_model.isEmpty()) readSources({}, false);
}

void ExpertsSources::readModels() {
    using Found = std::pair<std::vector<ModelRecord>, std::vector<RunSummary>>;
    m_services.worker.ask(
        this, "models",
        [](TaskContext& context) {
            return Found(context.library().models(), readRuns(context.library(), {}));
        },
        [this](const Found& found) {
            const QSignalBlocker blocker(m_models);
            m_models->clear();
            if (const auto sample = sampleFolder())
                addModel(tr("The bundled sample"), *sample + QStringLiteral("/model"));
            for (const RunSummary& run : found.second) addModel(modelName(run.model), run.model);
            for (const RunSummary& run : found.second)
                addModel(tr("%1 (result of a run)").arg(run.name), run.resultPath);
            for (const ModelRecord& model : found.first)
                addModel(QString::fromStdString(model.name), QString::fromStdString(model.path));
            if (!m_model.isEmpty()) addModel(modelName(m_model), m_model);
            m_models->setCurrentIndex(m_models->findData(m_model));
            Q_EMIT refreshed();
        },
        [this](const Failure& failure) { Q_EMIT failed(failure); });
}

void ExpertsSources::addModel(const QString& label, const QString& path) {
    if (path.isEmpty() || m_models->findData(path) >= 0 || !QFileInfo::exists(path)) return;
    m_models->addItem(label, path);
    m_models->setItemData(m_models->count() - 1, path, Qt::ToolTipRole);
}

void ExpertsSources::openModel(const QString& model, const QString& stats) {
    if (model.isEmpty()) return;
    m_model = model;
    addModel(modelName(model), model);
    m_models->setCurrentIndex(m_models->findData(model));
    m_models->setToolTip(model);
    m_collect->setEnabled(true);
    m_import->setEnabled(true);
    readSources(stats, true);
}

void ExpertsSources::readSources(const QString& wanted, bool opens) {
    m_services.worker.ask(
        this, "sources",
        [model = m_model](TaskContext& context) {
            return findStatsSources(context.library(), model);
        },
        [this, wanted, opens](const std::vector<StatsSource>& sources) {
            fillSources(sources, wanted, opens);
        },
        [this](const Failure& failure) { Q_EMIT failed(failure); });
}

void ExpertsSources::fillSources(const std::vector<StatsSource>& sources, const QString& wanted,
                                 bool opens) {
    const QString before = m_stats->currentData().toString();
    const bool hadNone = m_sources.empty();
    m_sources = sources;
    const QSignalBlocker blocker(m_stats);
    m_stats->clear();
    for (const StatsSource& source : m_sources) {
        m_stats->addItem(labelOf(source), source.path);
        m_stats->setItemData(m_stats->count() - 1, source.path, Qt::ToolTipRole);
    }
    const QString shown = opens ? wanted : before;
    const int found = m_stats->findData(shown);
    Q_EMIT sourcesFound(m_sources);
    m_stats->setCurrentIndex(found >= 0 ? found : m_sources.empty() ? -1 : 0);
    // New statistics of a model that had none are what it was waiting for.
    if (opens || (hadNone && !m_sources.empty())) openCurrent();
}

QString ExpertsSources::labelOf(const StatsSource& source) {
    const QString tasks =
        source.tasks.isEmpty() ? tr("all texts") : source.tasks.join(QStringLiteral(" + "));
    const QString tokens = QLocale().toString(static_cast<qlonglong>(source.tokens));
    const QString from = source.runFolder.isEmpty() ? QFileInfo(source.path).completeBaseName()
                                                    : QFileInfo(source.runFolder).fileName();
    return tr("%1, %2 tokens (%3)").arg(tasks, tokens, from);
}

const StatsSource* ExpertsSources::current() const {
    const int index = m_stats->currentIndex();
    return index < 0 || index >= static_cast<int>(m_sources.size())
               ? nullptr
               : &m_sources[static_cast<std::size_t>(index)];
}

void ExpertsSources::openCurrent() {
    ExpertDataRequest request{.model = m_model, .stats = {}, .data = {}};
    const StatsSource* source = current();
    if (source != nullptr) {
        request.stats = source->path;
        request.data = source->data;
    }
    m_stats->setToolTip(request.stats);
    m_export->setEnabled(source != nullptr);
    Q_EMIT opened(request);
}

void ExpertsSources::browseModel() {
    askForFolder(*this, tr("Choose a model folder"),
                 [this](const QString& path) { openModel(path); });
}

void ExpertsSources::importFile() {
    askForFiles(*this, tr("Import statistics"), tr("Statistics (*.safetensors)"),
                [this](const QStringList& paths) { importPath(paths.value(0)); });
}

void ExpertsSources::importPath(const QString& path) {
    m_services.worker.ask(
        this, "import", [model = m_model, path](TaskContext&) { return importStats(model, path); },
        [this, path](const StatsSource&) { readSources(path, true); },
        [this](const Failure& failure) { Q_EMIT failed(failure); });
}

void ExpertsSources::exportFile() {
    const StatsSource* source = current();
    if (source == nullptr) return;
    askForTarget(
        *this, tr("Export statistics"),
        modelName(m_model) + QStringLiteral("-statistics.safetensors"),
        tr("Statistics (*.safetensors)"), [this, from = source->path](const QString& to) {
            m_services.worker.ask(
                this, "export",
                [from, to](TaskContext&) {
                    exportStats(from, to);
                    return true;
                },
                [this, to](bool) { Q_EMIT announced(tr("The statistics are in %1.").arg(to)); },
                [this](const Failure& failure) { Q_EMIT failed(failure); });
        });
}

}  // namespace espalier::ui
