#include "ui/pages/models_details.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QVBoxLayout>

#include "ui/bridge/background_worker.h"
#include "ui/models/format.h"
#include "ui/models/library_text.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/card.h"
#include "ui/widgets/info_view.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {
namespace {

constexpr int mostNoteLetters = 500;
constexpr int hashLetters = 12;  ///< shown; the tooltip has all
constexpr int mostFilesInTip = 30;

InfoRow row(const char* id, const QString& label, const QString& value, const QString& tip = {}) {
    return {QLatin1String(id), label, value, false, tip};
}

}  // namespace

ModelsDetails::ModelsDetails(const Services& services, QWidget* parent)
    : QWidget(parent), m_services(services) {
    buildLayout();
    connect(m_note, &QLineEdit::editingFinished, this, &ModelsDetails::saveNote);
    connect(m_hash, &QPushButton::clicked, this, &ModelsDetails::takeHash);
    showNothing();
}

void ModelsDetails::buildLayout() {
    m_name = new TextLabel(TextKind::Heading);
    m_name->setObjectName(QStringLiteral("models_details_name_label"));
    m_name->asElided();
    m_problem = new TextLabel(TextKind::Body);
    m_problem->setObjectName(QStringLiteral("models_details_problem_label"));
    m_about = new InfoView(QStringLiteral("models_details_about_view"));
    m_about->setAccessibleName(tr("About the model"));
    m_place = new InfoView(QStringLiteral("models_details_place_view"));
    m_place->setAccessibleName(tr("Where it lies and where it comes from"));
    m_note = new QLineEdit;
    m_note->setObjectName(QStringLiteral("models_details_note_edit"));
    m_note->setMaxLength(mostNoteLetters);
    m_note->setPlaceholderText(tr("Your own words; the search finds them"));
    m_noteLabel = new QLabel(tr("&Notes"));
    m_noteLabel->setBuddy(m_note);
    m_hash = new PushButton(QStringLiteral("models_details_hash_btn"), tr("Compu&te hash"));
    m_hash->setToolTip(
        tr("Reads samples of every tensor. Models that were made from this one are "
           "found by its hash."));

    m_columns = new QBoxLayout(QBoxLayout::LeftToRight);
    m_columns->setSpacing(space::sections);
    m_columns->addWidget(m_about, 2, Qt::AlignTop);
    m_columns->addWidget(m_place, 3, Qt::AlignTop);
    auto* line = new QHBoxLayout;
    line->setSpacing(space::controls);
    line->addWidget(m_noteLabel);
    line->addWidget(m_note, 1);
    line->addWidget(m_hash);
    auto* card = new Card;
    auto* inner = new QVBoxLayout(card);
    inner->setContentsMargins({});
    inner->setSpacing(space::controls);
    inner->addWidget(m_name);
    inner->addWidget(m_problem);
    inner->addLayout(m_columns);
    inner->addLayout(line);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->addWidget(card);
}

void ModelsDetails::arrange(bool isNarrow) {
    m_columns->setDirection(isNarrow ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
}

void ModelsDetails::showNothing() {
    saveNote();
    m_entry.reset();
    hide();
}

void ModelsDetails::showEntry(const ModelEntry& entry, const QString& origin) {
    const bool isOther = !m_entry || m_entry->path != entry.path;
    const bool hasChanged = isOther || m_entry->stamp != entry.stamp;
    if (isOther) saveNote();
    m_entry = entry;
    m_origin = origin;
    if (isOther) m_note->setText(entry.note);
    if (hasChanged) {
        m_details.reset();
        m_services.worker.ask(
            this, "details", [path = entry.path](TaskContext&) { return readModelDetails(path); },
            [this](const ModelDetails& details) {
                if (!m_entry || m_entry->path != details.path) return;
                m_details = details;
                showRows();
            },
            [this](const Failure& failure) { Q_EMIT failed(failure); });
    }
    showRows();
    show();
}

void ModelsDetails::showRows() {
    m_name->setText(m_entry->name);
    const QString problem =
        m_entry->obstacle() == Obstacle::NotRead ? QString() : obstacleSentence(*m_entry);
    m_problem->setText(problem);
    m_problem->setVisible(!problem.isEmpty());
    const std::vector<InfoRow> about = aboutRows();
    m_about->setRows(about);
    m_about->setVisible(!about.empty());
    m_place->setRows(placeRows());
    m_hash->setVisible(m_entry->hash.isEmpty() && m_entry->canPlay());
    m_hash->setEnabled(true);
}

std::vector<InfoRow> ModelsDetails::aboutRows() const {
    std::vector<InfoRow> rows;
    if (m_entry->facts) {
        const ModelFacts& facts = *m_entry->facts;
        if (!facts.family.isEmpty())
            rows.push_back(row("family", tr("Architecture"), facts.family));
        if (facts.experts > 1 && facts.routedLayers > 0) {
            rows.push_back(row("experts", tr("Experts"),
                               tr("%1 in each of %2 layers, %3 for each token")
                                   .arg(facts.experts)
                                   .arg(facts.routedLayers)
                                   .arg(facts.topK)));
        }
        if (facts.parameters > 0) {
            rows.push_back(row("parameters", tr("Parameters"),
                               tr("%1, %2 active for a token")
                                   .arg(format::parameters(facts.parameters),
                                        format::parameters(facts.activeParameters))));
        }
        if (facts.contextLength > 0) {
            rows.push_back(row("context", tr("Context"),
                               tr("%1 tokens").arg(format::integer(facts.contextLength))));
        }
    }
    if (!m_details) return rows;
    rows.push_back(row("licence", tr("Licence"),
                       m_details->licence.isEmpty() ? tr("not named") : m_details->licence));
    if (!m_entry->canPlay()) return rows;
    rows.push_back(
        row("template", tr("Chat template"), m_details->hasChatTemplate ? tr("yes") : tr("none")));
    rows.push_back(
        row("tokenizer", tr("Tokenizer"),
            m_details->tokenizer.isEmpty()
                ? tr("none")
                : tr("%1, %2 tokens")
                      .arg(m_details->tokenizer, format::integer(m_details->vocabSize))));
    return rows;
}

std::vector<InfoRow> ModelsDetails::placeRows() const {
    std::vector<InfoRow> rows;
    if (!m_entry->publisher.isEmpty())
        rows.push_back(row("publisher", tr("Publisher"), m_entry->publisher));
    const QString base = m_entry->facts ? m_entry->facts->baseName : QString();
    const QString origin = m_origin.isEmpty() ? base : m_origin;
    if (!origin.isEmpty()) {
        QStringList steps;
        if (m_entry->facts) {
            for (const QString& stage : m_entry->facts->stages)
                steps.append(format::stageName(stage));
        }
        const QString way = steps.join(QStringLiteral(" → "));
        rows.push_back(row("origin", tr("Made from"),
                           way.isEmpty() ? origin : QStringLiteral("%1 → %2").arg(origin, way)));
    }
    if (!m_entry->libraryName.isEmpty())
        rows.push_back(row("library", tr("In the library as"), m_entry->libraryName));
    if (!m_entry->runFolder.isEmpty()) rows.push_back(row("run", tr("Run"), m_entry->runFolder));
    if (m_details && !m_details->files.isEmpty()) {
        const auto count = m_details->files.size();
        const QString size = format::fileSize(m_entry->bytes);
        rows.push_back(
            row("files", tr("Files"),
                count == 1 ? tr("1 file, %1").arg(size) : tr("%1 files, %2").arg(count).arg(size),
                m_details->files.mid(0, mostFilesInTip).join(QLatin1Char('\n'))));
    }
    if (!m_entry->hash.isEmpty()) {
        rows.push_back(
            row("hash", tr("Hash"), m_entry->hash.left(hashLetters) + QChar(u'…'), m_entry->hash));
    }
    rows.push_back(row("path", tr("Where"), m_entry->path));
    return rows;
}

void ModelsDetails::saveNote() {
    if (!m_entry || m_entry->note == m_note->text()) return;
    m_entry->note = m_note->text();
    m_services.worker.run([path = m_entry->path.toStdString(),
                           text = m_entry->note.toStdString()](TaskContext& context) {
        context.library().put_model_text(path, text);
    });
    Q_EMIT entryChanged(*m_entry);
}

void ModelsDetails::takeHash() {
    m_hash->setEnabled(false);
    m_services.worker.ask(
        this, "hash",
        [path = m_entry->path, stamp = m_entry->stamp.toStdString()](TaskContext& context) {
            const QString hash = hashModel(path);
            context.library().put_model_hash(path.toStdString(), hash.toStdString(), stamp);
            return std::pair(path, hash);
        },
        [this](const std::pair<QString, QString>& taken) {
            if (!m_entry || m_entry->path != taken.first) return;
            m_entry->hash = taken.second;
            showRows();
            Q_EMIT entryChanged(*m_entry);
        },
        [this](const Failure& failure) {
            m_hash->setEnabled(true);
            Q_EMIT failed(failure);
        });
}

}  // namespace espalier::ui
