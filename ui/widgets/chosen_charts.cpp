#include "ui/widgets/chosen_charts.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QSignalBlocker>
#include <QVBoxLayout>

#include "ui/theme/metrics.h"

namespace espalier::ui {

ChosenCharts::ChosenCharts(const Words& words, std::initializer_list<QWidget*> charts,
                           QWidget* parent)
    : QWidget(parent), m_choice(new QComboBox) {
    m_choice->setObjectName(words.name);
    m_choice->setAccessibleName(words.accessibleName);
    m_choice->setEnabled(false);
    connect(m_choice, &QComboBox::activated, this, [this] {
        m_isChosen = true;
        Q_EMIT chosenChanged();
    });
    auto* label = new QLabel(words.label);
    label->setBuddy(m_choice);
    auto* top = new QHBoxLayout;
    top->addWidget(label);
    top->addWidget(m_choice);
    top->addStretch(1);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->setSpacing(space::controls);
    layout->addLayout(top);
    for (QWidget* chart : charts) layout->addWidget(chart, 1);
}

void ChosenCharts::setChoice(qlonglong key, const QString& text) {
    const QSignalBlocker blocker(m_choice);
    int row = m_choice->findData(key);
    if (row < 0) {
        row = 0;
        while (row < m_choice->count() && m_choice->itemData(row).toLongLong() < key) ++row;
        m_choice->insertItem(row, text, key);
        m_choice->setEnabled(true);
    } else {
        m_choice->setItemText(row, text);
    }
    if (!m_isChosen) m_choice->setCurrentIndex(row);
}

QVariant ChosenCharts::chosen() const { return m_choice->currentData(); }

void ChosenCharts::choose(qlonglong key) {
    const int row = m_choice->findData(key);
    if (row < 0) return;
    m_choice->setCurrentIndex(row);
    m_isChosen = true;
    Q_EMIT chosenChanged();
}

void ChosenCharts::clearChoices() {
    const QSignalBlocker blocker(m_choice);
    m_choice->clear();
    m_choice->setEnabled(false);
    m_isChosen = false;
}

}  // namespace espalier::ui
