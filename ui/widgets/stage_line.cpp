#include "ui/widgets/stage_line.h"

#include <QPainter>

#include "ui/theme/colors.h"
#include "ui/theme/metrics.h"

namespace espalier::ui {
namespace {

constexpr int dot = 16;
constexpr int joint = 28;

QString word(StageState state) {
    switch (state) {
        case StageState::Waiting:
            return StageLine::tr("waiting");
        case StageState::Running:
            return StageLine::tr("running");
        case StageState::Done:
            return StageLine::tr("done");
        case StageState::Failed:
            return StageLine::tr("failed");
    }
    return {};
}

QColor colorOf(StageState state, const Colors& c) {
    switch (state) {
        case StageState::Running:
            return c.accent;
        case StageState::Done:
            return c.ok;
        case StageState::Failed:
            return c.err;
        case StageState::Waiting:
            break;
    }
    return c.border;
}

void drawDot(QPainter& painter, const QRectF& rect, StageState state, const Colors& c) {
    const QColor color = colorOf(state, c);
    painter.setPen(QPen(color, 2));
    painter.setBrush(state == StageState::Waiting ? QBrush(c.surface) : QBrush(color));
    painter.drawEllipse(rect.adjusted(1, 1, -1, -1));
    painter.setPen(QPen(c.surface, 2, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    const QPointF m = rect.center();
    if (state == StageState::Done) {
        painter.drawPolyline(
            QPolygonF({m + QPointF(-3.5, 0), m + QPointF(-1, 3), m + QPointF(4, -3)}));
    } else if (state == StageState::Failed) {
        painter.drawLine(m + QPointF(-3, -3), m + QPointF(3, 3));
        painter.drawLine(m + QPointF(3, -3), m + QPointF(-3, 3));
    } else if (state == StageState::Running) {
        painter.setBrush(c.surface);
        painter.setPen(Qt::NoPen);
        painter.drawEllipse(m, 3, 3);
    }
}

}  // namespace

StageLine::StageLine(const QString& name, QWidget* parent) : QWidget(parent) {
    setObjectName(name);
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
}

void StageLine::setStages(const std::vector<StageMark>& stages) {
    if (stages == m_stages) return;
    m_stages = stages;
    QStringList words;
    for (const StageMark& stage : stages)
        words.append(tr("%1 %2").arg(stage.name, word(stage.state)));
    setAccessibleName(tr("Stages: %1").arg(words.join(QStringLiteral(", "))));
    updateGeometry();
    update();
}

int StageLine::widthOf(const StageMark& stage) const {
    return dot + space::inGroup + fontMetrics().horizontalAdvance(stage.name);
}

QSize StageLine::sizeHint() const {
    int width = 0;
    for (const StageMark& stage : m_stages) width += widthOf(stage) + joint;
    return {width, std::max(dot, fontMetrics().height()) + space::controls};
}

void StageLine::paintEvent(QPaintEvent*) {
    const Colors& c = colors(palette());
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    int x = 0;
    for (std::size_t i = 0; i < m_stages.size(); ++i) {
        const StageMark& stage = m_stages[i];
        drawDot(painter, {static_cast<double>(x), (height() - dot) / 2.0, dot, dot}, stage.state,
                c);
        painter.setPen(stage.state == StageState::Waiting ? c.text2 : c.text);
        const QRect text(x + dot + space::inGroup, 0, widthOf(stage), height());
        painter.drawText(text, Qt::AlignVCenter | Qt::AlignLeft, stage.name);
        x += widthOf(stage);
        if (i + 1 == m_stages.size()) break;
        painter.setPen(QPen(c.border, 1));
        painter.drawLine(x + space::controls, height() / 2, x + joint - space::controls,
                         height() / 2);
        x += joint;
    }
}

}  // namespace espalier::ui
