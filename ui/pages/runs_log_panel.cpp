#include "ui/pages/runs_log_panel.h"

#include <QCheckBox>
#include <QComboBox>
#include <QHBoxLayout>
#include <QListView>
#include <QVBoxLayout>

#include "ui/models/log_model.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {

RunLogPanel::RunLogPanel(QWidget* parent)
    : QWidget(parent),
      m_model(new LogModel(this)),
      m_filter(new LogFilter(this)),
      m_level(new QComboBox),
      m_follow(new QCheckBox(tr("Follo&w"))),
      m_view(new QListView) {
    m_filter->setSourceModel(m_model);
    m_level->setObjectName(QStringLiteral("run_log_level_combo"));
    m_level->setAccessibleName(tr("Levels shown"));
    m_level->addItem(tr("All levels"), static_cast<int>(LogLevel::Info));
    m_level->addItem(tr("Warnings and errors"), static_cast<int>(LogLevel::Warn));
    m_level->addItem(tr("Errors"), static_cast<int>(LogLevel::Error));
    connect(m_level, &QComboBox::currentIndexChanged, this, [this] {
        m_filter->setLowestLevel(static_cast<LogLevel>(m_level->currentData().toInt()));
    });
    m_follow->setObjectName(QStringLiteral("run_log_follow_chk"));
    m_follow->setAccessibleName(tr("Follow the newest line"));
    m_follow->setChecked(true);
    m_view->setObjectName(QStringLiteral("run_log_list"));
    m_view->setAccessibleName(tr("Log"));
    m_view->setModel(m_filter);
    m_view->setUniformItemSizes(true);
    m_view->setProperty("dense", true);
    m_view->setSelectionMode(QAbstractItemView::ExtendedSelection);
    m_view->setTabKeyNavigation(false);
    auto* top = new QHBoxLayout;
    top->addWidget(new TextLabel(TextKind::Heading, tr("Log")), 1);
    top->addWidget(m_follow);
    top->addWidget(m_level);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->setSpacing(space::inGroup);
    layout->addLayout(top);
    layout->addWidget(m_view, 1);
}

void RunLogPanel::append(const std::vector<LogLine>& lines) {
    m_model->append(lines);
    if (m_follow->isChecked()) m_view->scrollToBottom();
}

void RunLogPanel::setLines(const std::vector<LogLine>& lines) {
    m_model->setLines(lines);
    m_view->scrollToBottom();
}

void RunLogPanel::clear() { m_model->clear(); }

}  // namespace espalier::ui
