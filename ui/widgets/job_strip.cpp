#include "ui/widgets/job_strip.h"

#include <QAccessible>
#include <QHBoxLayout>
#include <QPainter>
#include <QProgressBar>
#include <chrono>
#include <utility>

#include "ui/theme/colors.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {
namespace {

using namespace std::chrono_literals;

constexpr int barSteps = 1000;
constexpr int barWidth = 140;
constexpr int barHeight = 10;
constexpr auto resultStays = 30s;
constexpr auto quietTime = 3s;

}  // namespace

JobStrip::JobStrip(QWidget* parent)
    : QWidget(parent),
      m_label((new TextLabel(TextKind::Body, tr("No job is running.")))->asElided()),
      m_bar(new QProgressBar),
      m_open(new PushButton(QStringLiteral("job_open_btn"), tr("Open"))),
      m_stop(new PushButton(QStringLiteral("job_stop_btn"), tr("Stop"))),
      m_memory(new MemoryButton) {
    setObjectName(QStringLiteral("jobStrip"));
    setAccessibleName(tr("Running job"));
    buildLayout();
    setJobVisible(false, false);
    m_resultTimer.setSingleShot(true);
    m_resultTimer.setInterval(resultStays);
    connect(&m_resultTimer, &QTimer::timeout, this, [this] {
        m_label->setText(tr("No job is running."));
        setJobVisible(false, false);
    });
    m_quiet.setSingleShot(true);
    m_quiet.setInterval(quietTime);
    connect(&m_quiet, &QTimer::timeout, this, [this] {
        if (!m_pending.isEmpty()) say(std::exchange(m_pending, {}));
    });
    connect(m_open, &QPushButton::clicked, this, &JobStrip::openRequested);
    connect(m_stop, &QPushButton::clicked, this, &JobStrip::stopRequested);
}

void JobStrip::buildLayout() {
    m_label->setObjectName(QStringLiteral("job_strip_label"));
    m_bar->setObjectName(QStringLiteral("job_strip_bar"));
    m_bar->setAccessibleName(tr("Progress of the run"));
    m_bar->setRange(0, barSteps);
    m_bar->setTextVisible(false);
    m_bar->setFixedSize(barWidth, barHeight);
    m_open->setAccessibleName(tr("Open the run"));
    m_stop->setAccessibleName(tr("Stop the run"));
    m_stop->setToolTip(tr("Ends the run. Finished stages are kept; it can go on later."));
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(space::groups, space::inGroup, space::controls, space::inGroup);
    layout->addWidget(m_bar);
    layout->addWidget(m_label, 1);
    layout->addWidget(m_open);
    layout->addWidget(m_stop);
    layout->addSpacing(space::controls);
    layout->addWidget(m_memory);
}

void JobStrip::setJobVisible(bool isVisible, bool canStop) {
    m_bar->setVisible(isVisible && canStop);
    m_open->setVisible(isVisible);
    m_stop->setVisible(isVisible && canStop);
}

void JobStrip::showJob(const QString& text, double fraction) {
    m_resultTimer.stop();
    m_label->setText(text);
    m_bar->setValue(static_cast<int>(fraction * barSteps));
    m_stop->setEnabled(true);
    setJobVisible(true, true);
}

void JobStrip::showStopping(const QString& text) {
    m_label->setText(text);
    m_stop->setEnabled(false);
}

void JobStrip::showResult(const QString& text) {
    m_label->setText(text);
    setJobVisible(true, false);
    m_resultTimer.start();
    announce(text);
}

void JobStrip::announce(const QString& text) {
    if (m_quiet.isActive()) {
        m_pending = text;
    } else {
        say(text);
    }
}

void JobStrip::say(const QString& text) {
    m_label->setText(text);
    QAccessibleEvent event(m_label, QAccessible::Alert);
    QAccessible::updateAccessibility(&event);
    m_quiet.start();
}

void JobStrip::paintEvent(QPaintEvent*) {
    const Colors& c = colors(palette());
    QPainter painter(this);
    painter.fillRect(rect(), c.raised);
    painter.setPen(QPen(c.border, 1));
    painter.drawLine(rect().topLeft(), rect().topRight());
}

}  // namespace espalier::ui
