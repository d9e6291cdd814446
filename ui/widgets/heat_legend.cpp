#include "ui/widgets/heat_legend.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QLocale>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "ui/models/cell_number.h"
#include "ui/models/expert_matrix_model.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/glyph_key.h"
#include "ui/widgets/heat_gradient.h"
#include "ui/widgets/heat_view.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {
namespace {

QString numberText(double value) { return QLocale().toString(value, 'g', 3); }

QString scaleText(MatrixScale scale) {
    switch (scale) {
        case MatrixScale::Log:
            return HeatLegend::tr("logarithmic");
        case MatrixScale::Rank:
            return HeatLegend::tr("rank in the layer");
        case MatrixScale::ZScore:
            return HeatLegend::tr("standard deviations from the layer's mean");
        case MatrixScale::Linear:
            break;
    }
    return {};
}

}  // namespace

HeatLegend::HeatLegend(HeatView& view, QWidget* parent)
    : QWidget(parent),
      m_view(view),
      m_metric(new TextLabel(TextKind::Caption)),
      m_low(makeEdit(QStringLiteral("low_edit"), tr("Number at the low end of the colours"))),
      m_high(makeEdit(QStringLiteral("high_edit"), tr("Number at the high end of the colours"))),
      m_gradient(new HeatGradient),
      m_automatic(
          new PushButton(view.objectName() + QStringLiteral("_limits_btn"), tr("Automatic"))),
      m_note(new TextLabel(TextKind::Caption)) {
    m_automatic->setToolTip(tr("Limits from the matrix instead of typed ones"));
    const ExpertMatrixModel* model = view.matrixModel();
    connect(m_automatic, &QPushButton::clicked, this,
            [this] { m_view.matrixModel()->setFixedLimits({}); });
    for (const auto signal : {&ExpertMatrixModel::scaleChanged, &ExpertMatrixModel::marksChanged})
        connect(model, signal, this, &HeatLegend::showModel);
    connect(&view, &HeatView::colorMapChanged, this, &HeatLegend::showModel);
    buildLayout();
    showModel();
}

QLineEdit* HeatLegend::makeEdit(const QString& part, const QString& label) {
    auto* edit = new QLineEdit;
    edit->setObjectName(m_view.objectName() + QLatin1Char('_') + part);
    edit->setAccessibleName(label);
    edit->setToolTip(label);
    edit->setFixedWidth(10 * fontMetrics().averageCharWidth());
    connect(edit, &QLineEdit::editingFinished, this, &HeatLegend::takeLimits);
    return edit;
}

void HeatLegend::buildLayout() {
    auto* line = new QHBoxLayout;
    line->setSpacing(space::controls);
    line->addWidget(m_low);
    line->addWidget(m_gradient, 1);
    line->addWidget(m_high);
    line->addWidget(m_automatic);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->setSpacing(space::inGroup);
    layout->addWidget(m_metric);
    layout->addLayout(line);
    layout->addWidget(m_note);
    auto* key = new GlyphKey;
    key->setObjectName(m_view.objectName() + QStringLiteral("_key"));
    layout->addWidget(key);
    m_metric->setWordWrap(true);
    m_note->setWordWrap(true);
}

void HeatLegend::takeLimits() {
    ExpertMatrixModel& model = *m_view.matrixModel();
    if (!m_low->isModified() && !m_high->isModified()) return;
    bool hasLow = false;
    bool hasHigh = false;
    const MatrixLimits& shown = model.scaled().limits();
    MatrixLimits limits{QLocale().toDouble(m_low->text(), &hasLow),
                        QLocale().toDouble(m_high->text(), &hasHigh)};
    // The end that was not touched keeps what it has beyond the digits that it shows.
    if (!m_low->isModified()) limits.low = shown.low;
    if (!m_high->isModified()) limits.high = shown.high;
    const bool isNumber = hasLow && hasHigh;
    if (isNumber && model.setFixedLimits(limits)) return;
    m_note->setText(isNumber ? tr("The low end must be less than the high one, and above zero on "
                                  "a logarithmic scale. The colours have not changed.")
                             : tr("A limit is a number. The colours have not changed."));
}

QString HeatLegend::limitsNote() const {
    const ExpertMatrixModel& model = *m_view.matrixModel();
    const ScaledMatrix& scaled = model.scaled();
    QStringList sentences;
    if (model.hasFixedLimits()) {
        sentences.append(tr("Limits typed."));
    } else if (scaled.scale() != MatrixScale::Rank) {
        sentences.append(scaled.isDiverging() ? tr("Limits: 99th percentile to both sides.")
                                              : tr("Limits: 1st to 99th percentile."));
    }
    if (scaled.numNotPositive() > 0)
        sentences.append(
            tr("%n value(s) ≤ 0 not shown.", nullptr, static_cast<int>(scaled.numNotPositive())));
    if (const int exponent = cellExponent(scaled); exponent != 0)
        sentences.append(
            tr("Numbers in the cells: in units of %1.").arg(numberText(std::pow(10.0, exponent))));
    const QString cut = cutText();
    if (!cut.isEmpty()) sentences.append(cut);
    return sentences.join(QLatin1Char(' '));
}

QString HeatLegend::cutText() const {
    const auto cut = m_view.matrixModel()->cut();
    if (!cut) return {};
    if (cut->low == cut->high) return tr("▲ The cut: %1.").arg(numberText(cut->low));
    return tr("▲ The cuts of the layers: %1 to %2.")
        .arg(numberText(cut->low), numberText(cut->high));
}

void HeatLegend::showModel() {
    const ExpertMatrixModel& model = *m_view.matrixModel();
    const ScaledMatrix& scaled = model.scaled();
    QStringList words{model.matrix().metric};
    if (!model.matrix().unit.isEmpty() && scaled.scale() != MatrixScale::Rank &&
        scaled.scale() != MatrixScale::ZScore)
        words.append(model.matrix().unit);
    if (const QString scale = scaleText(scaled.scale()); !scale.isEmpty()) words.append(scale);
    m_metric->setText(words.join(QStringLiteral(", ")));
    m_low->setText(numberText(scaled.limits().low));
    m_high->setText(numberText(scaled.limits().high));
    m_automatic->setEnabled(model.hasFixedLimits());
    m_gradient->setColorMap(m_view.shownColorMap());
    const auto cut = model.cut();
    std::optional<std::pair<double, double>> marks;
    if (cut) marks = std::minmax(scaled.position(cut->low), scaled.position(cut->high));
    m_gradient->setCut(marks);
    m_note->setText(limitsNote());
}

void HeatLegend::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() != QEvent::FontChange) return;
    for (QLineEdit* edit : {m_low, m_high})
        edit->setFixedWidth(10 * fontMetrics().averageCharWidth());
}

}  // namespace espalier::ui
