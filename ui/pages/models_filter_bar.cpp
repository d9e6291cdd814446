#include "ui/pages/models_filter_bar.h"

#include <QCheckBox>
#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QSignalBlocker>
#include <QSpinBox>

#include "ui/models/format.h"
#include "ui/models/library_filter.h"
#include "ui/models/library_model.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/push_button.h"

namespace espalier::ui {
namespace {

constexpr int leastContext = 512;
constexpr int mostContext = 1 << 20;

QHBoxLayout* lineOf(std::initializer_list<QWidget*> widgets) {
    auto* line = new QHBoxLayout;
    line->setSpacing(space::controls);
    for (QWidget* widget : widgets) line->addWidget(widget);
    return line;
}

}  // namespace

ModelsFilterBar::ModelsFilterBar(LibraryModel& model, LibraryFilter& filter, QWidget* parent)
    : QWidget(parent), m_model(model), m_filter(filter) {
    buildLayout();
    connect(m_search, &QLineEdit::textChanged, this, &ModelsFilterBar::apply);
    connect(m_format, &QComboBox::currentIndexChanged, this, &ModelsFilterBar::apply);
    connect(m_experts, &QComboBox::currentIndexChanged, this, &ModelsFilterBar::apply);
    connect(m_fits, &QCheckBox::toggled, this, &ModelsFilterBar::apply);
    connect(m_clear, &QPushButton::clicked, this, [this] { clear(); });
    connect(m_context, &QSpinBox::valueChanged, this, [this](int tokens) {
        m_model.setContext(tokens);
        Q_EMIT changed();
    });
}

void ModelsFilterBar::buildLayout() {
    m_search = new QLineEdit;
    m_search->setObjectName(QStringLiteral("models_search_edit"));
    m_search->setAccessibleName(tr("Search models"));
    m_search->setPlaceholderText(tr("Search name, family, place or notes"));
    m_search->setClearButtonEnabled(true);
    m_format = new QComboBox;
    m_format->setObjectName(QStringLiteral("models_format_combo"));
    m_format->setAccessibleName(tr("Format"));
    m_format->addItems({tr("All formats"), tr("Hub folders"), tr("GGUF files")});
    m_experts = new QComboBox;
    m_experts->setObjectName(QStringLiteral("models_experts_combo"));
    m_experts->setAccessibleName(tr("Experts"));
    m_experts->addItems({tr("Any experts"), tr("With experts"), tr("Without experts")});
    m_fits = new QCheckBox(tr("On&ly what fits"));
    m_fits->setObjectName(QStringLiteral("models_fits_chk"));
    m_context = new QSpinBox;
    m_context->setObjectName(QStringLiteral("models_context_spin"));
    m_context->setRange(leastContext, mostContext);
    m_context->setSingleStep(leastContext);
    m_context->setGroupSeparatorShown(true);
    m_context->setSuffix(tr(" tokens"));
    m_context->setValue(static_cast<int>(m_model.contextTokens()));
    m_context->setToolTip(tr("The length of text that the column Fits counts with"));
    auto* contextLabel = new QLabel(tr("Conte&xt"));
    contextLabel->setBuddy(m_context);
    m_clear = new PushButton(QStringLiteral("models_filter_clear_btn"), tr("&Show all"));
    m_clear->hide();

    m_lines = new QBoxLayout(QBoxLayout::LeftToRight, this);
    m_lines->setContentsMargins({});
    m_lines->setSpacing(space::controls);
    m_lines->addWidget(m_search, 1);
    m_lines->addLayout(lineOf({m_format, m_experts}));
    QHBoxLayout* fits = lineOf({m_fits, contextLabel, m_context, m_clear});
    fits->insertSpacing(1, space::controls);
    fits->addStretch(0);
    m_lines->addLayout(fits);
}

void ModelsFilterBar::arrange(bool isNarrow) {
    m_lines->setDirection(isNarrow ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
}

void ModelsFilterBar::showMachine(quint64 available) {
    m_fits->setText(tr("On&ly what fits %1").arg(format::memory(available)));
}

void ModelsFilterBar::apply() {
    m_filter.setText(m_search->text());
    m_filter.setFormat(static_cast<FormatFilter>(m_format->currentIndex()));
    m_filter.setExperts(static_cast<ExpertsFilter>(m_experts->currentIndex()));
    m_filter.setOnlyFitting(m_fits->isChecked());
    m_clear->setVisible(m_filter.isActive());
    Q_EMIT changed();
}

bool ModelsFilterBar::clear() {
    if (!m_filter.isActive()) return false;
    {
        const QSignalBlocker search(m_search);
        const QSignalBlocker formats(m_format);
        const QSignalBlocker experts(m_experts);
        const QSignalBlocker fits(m_fits);
        m_search->clear();
        m_format->setCurrentIndex(0);
        m_experts->setCurrentIndex(0);
        m_fits->setChecked(false);
    }
    m_search->setFocus(Qt::OtherFocusReason);  // the button goes
    apply();
    return true;
}

}  // namespace espalier::ui
