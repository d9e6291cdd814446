#include "ui/widgets/info_view.h"

#include <QGridLayout>
#include <QLabel>
#include <algorithm>

#include "ui/theme/metrics.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {

InfoView::InfoView(const QString& name, QWidget* parent)
    : QWidget(parent), m_layout(new QGridLayout(this)) {
    setObjectName(name);
    m_layout->setContentsMargins({});
    m_layout->setHorizontalSpacing(space::groups);
    m_layout->setVerticalSpacing(space::inGroup);
    m_layout->setColumnStretch(1, 1);
}

void InfoView::setRows(const std::vector<InfoRow>& rows) {
    if (rows == m_rows) return;
    m_rows = rows;
    while (QLayoutItem* item = m_layout->takeAt(0)) {
        delete item->widget();
        delete item;
    }
    QStringList sentences;
    int line = 0;
    for (const InfoRow& row : rows) {
        auto* label = new TextLabel(TextKind::Secondary, row.label);
        label->setWordWrap(false);
        auto* value = new TextLabel(TextKind::Body, row.value);
        value->setTextInteractionFlags(Qt::TextSelectableByMouse);
        if (row.isEstimate) {
            // Rich text, so that the slant survives changes of the font.
            value->setTextFormat(Qt::RichText);
            value->setText(QStringLiteral("<i>%1</i>").arg(row.value.toHtmlEscaped()));
        } else {
            value->setTextFormat(Qt::PlainText);
        }
        value->setAccessibleName(QStringLiteral("%1: %2").arg(row.label, row.value));
        label->setToolTip(row.tip);
        value->setToolTip(row.tip);
        m_layout->addWidget(label, line, 0, Qt::AlignTop);
        m_layout->addWidget(value, line, 1, Qt::AlignTop);
        sentences.append(value->accessibleName());
        ++line;
    }
    setAccessibleDescription(sentences.join(QStringLiteral(". ")));
}

QString InfoView::value(const QString& id) const {
    const auto found =
        std::find_if(m_rows.begin(), m_rows.end(), [&](const auto& row) { return row.id == id; });
    return found == m_rows.end() ? QString() : found->value;
}

}  // namespace espalier::ui
