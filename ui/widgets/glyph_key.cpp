#include "ui/widgets/glyph_key.h"

#include <QEvent>
#include <QPainter>
#include <algorithm>

#include "ui/models/expert_matrix_model.h"
#include "ui/theme/colors.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/heat_glyphs.h"

namespace espalier::ui {

GlyphKey::GlyphKey(QWidget* parent) : QWidget(parent) {
    for (const CellState state :
         {CellState::Pruned, CellState::Merged, CellState::Locked, CellState::Protected,
          CellState::ForcedOut, CellState::NeverRouted})
        m_entries.push_back({state, false, stateText(state, false)});
    m_entries.push_back({{}, true, stateText({}, true)});
    QSizePolicy policy(QSizePolicy::Expanding, QSizePolicy::Minimum);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
    setAccessibleName(tr("States of experts"));
    QStringList words;
    for (const Entry& entry : m_entries) words.append(entry.word);
    setAccessibleDescription(words.join(QStringLiteral(", ")));
    setToolTip(
        tr("Merged: becomes part of an expert that stays. Uncertain: two standard errors of its "
           "score reach across the cut."));
}

int GlyphKey::side() const {
    // Even, so that the middle of the glyph is one of its pixels' edges.
    return std::max(16, QFontMetrics(captionFont(font())).height() / 2 * 2);
}

std::pair<std::vector<QRect>, int> GlyphKey::arrange(int width) const {
    const QFontMetrics metrics(captionFont(font()));
    const int line = std::max(side(), metrics.height()) + space::inGroup;
    std::vector<QRect> places;
    QPoint at(0, 0);
    for (const Entry& entry : m_entries) {
        const int needed = side() + space::inGroup + metrics.horizontalAdvance(entry.word);
        if (at.x() > 0 && at.x() + needed > width) at = {0, at.y() + line};
        places.emplace_back(at, QSize(needed, line));
        at.rx() += needed + space::groups;
    }
    return {places, at.y() + line};
}

int GlyphKey::heightForWidth(int width) const { return arrange(width).second; }

QSize GlyphKey::sizeHint() const {
    const int width = 60 * fontMetrics().averageCharWidth();
    return {width, heightForWidth(width)};
}

void GlyphKey::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    const Colors& c = colors(palette());
    painter.setFont(captionFont(font()));
    const std::vector<QRect> places = arrange(width()).first;
    for (std::size_t i = 0; i < m_entries.size(); ++i) {
        QRect place = places[i];
        const bool isMirrored = layoutDirection() == Qt::RightToLeft;
        if (isMirrored) place.moveLeft(width() - place.right() - 1);
        QRect cell(place.left(), place.top() + (place.height() - side()) / 2, side(), side());
        if (isMirrored) cell.moveRight(place.right());
        painter.fillRect(
            cell, m_entries[i].states.testFlag(CellState::NeverRouted) ? c.surface : c.raised);
        // As cells are drawn below the size that shows digits: one mark in the middle.
        painter.save();
        painter.translate(cell.topLeft());
        painter.scale(side() / 16.0, side() / 16.0);
        paintGlyphs(painter, QRectF(0, 0, 16, 16), m_entries[i].states, m_entries[i].isUncertain,
                    c.text);
        painter.restore();
        const QRect text = isMirrored ? place.adjusted(0, 0, -side() - space::inGroup, 0)
                                      : place.adjusted(side() + space::inGroup, 0, 0, 0);
        painter.setPen(c.text2);
        painter.drawText(text, Qt::AlignVCenter | Qt::TextDontClip, m_entries[i].word);
    }
}

bool GlyphKey::event(QEvent* event) {
    if (event->type() == QEvent::FontChange) updateGeometry();
    return QWidget::event(event);
}

}  // namespace espalier::ui
