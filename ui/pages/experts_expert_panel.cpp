#include "ui/pages/experts_expert_panel.h"

#include <QHBoxLayout>
#include <QPlainTextEdit>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/bridge/expert_session.h"
#include "ui/models/format.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/info_view.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {
namespace {

constexpr int linesOfTexts = 8;
constexpr int mostPartners = 2;

bool holds(const std::vector<std::int32_t>& ids, std::int32_t id) {
    return std::binary_search(ids.begin(), ids.end(), id);
}

}  // namespace

ExpertsExpertPanel::ExpertsExpertPanel(ExpertSession& session, QWidget* parent)
    : QWidget(parent), m_session(session) {
    buildLayout();
    connect(&m_session, &ExpertSession::planChanged, this, &ExpertsExpertPanel::showFacts);
    connect(&m_session, &ExpertSession::dataChanged, this, &ExpertsExpertPanel::clear);
    connect(m_lock, &QPushButton::clicked, this, [this] {
        const LayerPlan& row = *m_session.plan().layers.at(m_facts.cell.layer);
        m_session.edit(holds(row.locked, m_facts.cell.expert) ? PlanEdit::Clear : PlanEdit::Lock,
                       cells());
    });
    connect(m_remove, &QPushButton::clicked, this, [this] { m_session.toggle(cells()); });
    connect(m_show, &QPushButton::clicked, this, [this] {
        m_texts->setVisible(!m_texts->isVisible());
        showTexts();
    });
    clear();
}

void ExpertsExpertPanel::buildLayout() {
    m_title = new TextLabel(TextKind::Heading);
    m_title->setObjectName(QStringLiteral("exp_detail_title_label"));
    m_hint = new TextLabel(TextKind::Secondary,
                           tr("Choose a cell of the map to see what its expert does."));
    m_rows = new InfoView(QStringLiteral("exp_detail_view"));
    m_rows->setAccessibleName(tr("About this expert"));
    m_lock = new PushButton(QStringLiteral("exp_detail_lock_btn"), tr("Lock"));
    m_lock->setToolTip(tr("It stays, however experts are chosen (L)"));
    m_remove = new PushButton(QStringLiteral("exp_detail_remove_btn"), tr("Remove"));
    m_show = new PushButton(QStringLiteral("exp_detail_text_btn"), tr("Show text…"));
    m_show->setToolTip(tr("The tokens of your texts that it had the largest gates for."));
    m_texts = new QPlainTextEdit;
    m_texts->setObjectName(QStringLiteral("exp_detail_text"));
    m_texts->setAccessibleName(tr("Strongest tokens of this expert"));
    m_texts->setReadOnly(true);
    m_texts->setTabChangesFocus(true);
    m_texts->setMinimumHeight(linesOfTexts * fontMetrics().lineSpacing());
    m_texts->hide();
    auto* buttons = new QHBoxLayout;
    buttons->setSpacing(space::controls);
    buttons->addWidget(m_lock);
    buttons->addWidget(m_remove);
    buttons->addStretch(1);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->setSpacing(space::controls);
    layout->addWidget(m_title);
    layout->addWidget(m_hint);
    layout->addWidget(m_rows);
    layout->addLayout(buttons);
    layout->addWidget(m_show, 0, Qt::AlignLeft);
    layout->addWidget(m_texts, 1);
}

void ExpertsExpertPanel::clear() {
    m_hasExpert = false;
    m_facts = {};
    m_rows->setRows({});
    m_title->setText(tr("Expert"));
    m_hint->show();
    m_texts->hide();
    for (QWidget* button : {m_lock, m_remove, m_show}) button->hide();
}

void ExpertsExpertPanel::showExpert(const ExpertFacts& facts, const QString& name) {
    m_hasExpert = true;
    m_facts = facts;
    m_name = name;
    m_hint->hide();
    for (QWidget* button : {m_lock, m_remove}) button->show();
    m_show->setVisible(facts.contexts != nullptr && !facts.contexts->empty());
    if (!m_show->isVisibleTo(this)) m_texts->hide();
    showFacts();
    showTexts();
}

QString ExpertsExpertPanel::partnersText() const {
    QStringList parts;
    for (const auto& [expert, share] : m_facts.firesWith) {
        if (parts.size() == mostPartners) break;
        parts.append(tr("%1 (%2)").arg(expert).arg(format::percent(share)));
    }
    return parts.join(QStringLiteral(", "));
}

void ExpertsExpertPanel::showFacts() {
    const ExpertDataPtr& known = m_session.data();
    if (!m_hasExpert || !known) return;
    const ExpertCell& cell = m_facts.cell;
    const auto found = m_session.plan().layers.find(cell.layer);
    if (found == m_session.plan().layers.end()) return;
    const bool isKept = m_session.plan().keeps(cell.layer, cell.expert);
    const bool isLocked = holds(found->second->locked, cell.expert);
    m_title->setText(tr("Layer %1, expert %2").arg(cell.layer).arg(cell.expert));
    m_lock->setText(isLocked ? tr("Unlock") : tr("Lock"));
    m_remove->setText(isKept ? tr("Remove") : tr("Keep"));
    std::vector<InfoRow> rows{
        {QStringLiteral("decision"),
         tr("Decision"),
         decisionText(m_session.plan(), cell),
         false,
         {}},
        {QStringLiteral("rank"),
         tr("Rank"),
         tr("%1 of %2").arg(m_facts.rank).arg(known->numExperts()),
         false,
         {}},
        {QStringLiteral("score"), m_name, format::significant(m_facts.score), false, {}}};
    if (known->hasStats()) {
        rows.push_back(
            {QStringLiteral("tokens"),
             tr("Tokens"),
             tr("%1 (mean %2)")
                 .arg(format::percent(m_facts.tokenShare), format::percent(m_facts.meanShare)),
             false,
             {}});
        rows.push_back({QStringLiteral("gate"),
                        tr("Mean gate"),
                        format::significant(m_facts.meanGate),
                        false,
                        {}});
    }
    for (std::size_t i = 0; i < m_facts.taskShares.size(); ++i) {
        const QString task = QString::fromStdString(known->stats.tasks[i]);
        rows.push_back({QStringLiteral("task:") + task,
                        tr("of %1").arg(task),
                        format::percent(m_facts.taskShares[i]),
                        false,
                        {}});
    }
    if (!m_facts.firesWith.empty()) {
        rows.push_back({QStringLiteral("partners"), tr("Fires with"), partnersText(), false,
                        tr("Experts that its tokens are sent to as well, and how many of them.")});
    }
    if (m_facts.nearest) {
        rows.push_back({QStringLiteral("nearest"), tr("Most like it"),
                        tr("%1 (cosine %2)")
                            .arg(m_facts.nearest->first)
                            .arg(format::significant(m_facts.nearest->second)),
                        false, tr("By the direction of the mean output.")});
    }
    m_rows->setRows(rows);
}

void ExpertsExpertPanel::showTexts() {
    if (m_texts->isVisibleTo(this)) m_texts->setPlainText(contextText(m_facts));
}

void ExpertsExpertPanel::focusFirst() { m_lock->setFocus(Qt::OtherFocusReason); }

}  // namespace espalier::ui
