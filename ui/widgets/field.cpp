#include "ui/widgets/field.h"

#include <QEvent>
#include <QLabel>
#include <QVBoxLayout>

#include "ui/theme/colors.h"
#include "ui/theme/metrics.h"

namespace espalier::ui {

Field::Field(const QString& label, QWidget* control, const QString& help, QWidget* parent)
    : QWidget(parent), m_control(control), m_note(new QLabel), m_help(help) {
    auto* name = new QLabel(label);
    name->setBuddy(control);
    QString plain = label;
    control->setAccessibleName(plain.remove(QLatin1Char('&')));
    m_note->setWordWrap(true);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->setSpacing(space::inGroup);
    layout->addWidget(name);
    layout->addWidget(control);
    layout->addWidget(m_note);
    showNote();
}

void Field::setHelp(const QString& help) {
    m_help = help;
    showNote();
}

void Field::setProblem(const QString& problem) {
    if (problem == m_problem) return;
    m_problem = problem;
    showNote();
}

void Field::showNote() {
    const QString text = m_problem.isEmpty() ? m_help : tr("⚠ %1").arg(m_problem);
    m_note->setText(text);
    m_note->setVisible(!text.isEmpty());
    m_note->setFont(captionFont(font()));
    const Colors& c = colors(palette());
    QPalette inked = palette();
    inked.setColor(QPalette::WindowText, m_problem.isEmpty() ? c.text2 : c.err);
    m_note->setPalette(inked);
    m_control->setAccessibleDescription(m_problem.isEmpty() ? m_help : m_problem);
}

void Field::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange) showNote();
}

}  // namespace espalier::ui
