#include "ui/widgets/empty_state.h"

#include <QHBoxLayout>
#include <QVBoxLayout>

#include "ui/theme/metrics.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {

EmptyState::EmptyState(const QString& area, const Texts& texts, QWidget* parent) : QWidget(parent) {
    auto* sentence = new TextLabel(TextKind::Secondary, texts.sentence);
    sentence->setAlignment(Qt::AlignCenter);
    auto* action = (new PushButton(area + QStringLiteral("_empty_btn"), texts.action))->asPrimary();
    auto* sample = new PushButton(area + QStringLiteral("_sample_btn"), texts.sample);
    connect(action, &QPushButton::clicked, this, &EmptyState::actionRequested);
    connect(sample, &QPushButton::clicked, this, &EmptyState::sampleRequested);
    auto* buttons = new QHBoxLayout;
    buttons->addStretch(1);
    buttons->addWidget(action);
    buttons->addWidget(sample);
    buttons->addStretch(1);
    auto* layout = new QVBoxLayout(this);
    layout->addStretch(1);
    layout->addWidget(sentence);
    layout->addSpacing(space::groups);
    layout->addLayout(buttons);
    layout->addStretch(2);
}

}  // namespace espalier::ui
