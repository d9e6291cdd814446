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

void InfoView::addLine() {
    const int line = static_cast<int>(m_lines.size());
    auto* label = new TextLabel(TextKind::Secondary);
    label->setWordWrap(false);
    auto* value = new TextLabel(TextKind::Body);
    value->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_layout->addWidget(label, line, 0, Qt::AlignTop);
    m_layout->addWidget(value, line, 1, Qt::AlignTop);
    // A layout shows what it is given only later: the row would be empty for a moment.
    label->show();
    value->show();
    m_lines.push_back({label, value});
}

void InfoView::show(const Line& line, const InfoRow& row) {
    line.label->setText(row.label);
    // Rich text, so that the slant survives changes of the font.
    line.value->setTextFormat(row.isEstimate ? Qt::RichText : Qt::PlainText);
    line.value->setText(row.isEstimate ? QStringLiteral("<i>%1</i>").arg(row.value.toHtmlEscaped())
                                       : row.value);
    line.value->setAccessibleName(QStringLiteral("%1: %2").arg(row.label, row.value));
    line.label->setToolTip(row.tip);
    line.value->setToolTip(row.tip);
}

void InfoView::setRows(const std::vector<InfoRow>& rows) {
    if (rows == m_rows) return;
    while (m_lines.size() > rows.size()) {
        delete m_lines.back().label;
        delete m_lines.back().value;
        m_lines.pop_back();
    }
    QStringList sentences;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const bool isNew = i >= m_lines.size();
        if (isNew) addLine();
        if (isNew || rows[i] != m_rows[i]) show(m_lines[i], rows[i]);
        sentences.append(m_lines[i].value->accessibleName());
    }
    m_rows = rows;
    setAccessibleDescription(sentences.join(QStringLiteral(". ")));
}

QString InfoView::value(const QString& id) const {
    const auto found =
        std::find_if(m_rows.begin(), m_rows.end(), [&](const auto& row) { return row.id == id; });
    return found == m_rows.end() ? QString() : found->value;
}

}  // namespace espalier::ui
