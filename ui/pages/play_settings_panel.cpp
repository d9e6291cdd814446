#include "ui/pages/play_settings_panel.h"

#include <QDoubleSpinBox>
#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QPlainTextEdit>
#include <QRandomGenerator>
#include <QSpinBox>
#include <QVBoxLayout>
#include <limits>

#include "ui/theme/metrics.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {
namespace {

constexpr double defaultTemperature = 0.7;
constexpr int defaultTopK = 40;
constexpr double defaultTopP = 0.95;
constexpr double defaultMinP = 0.05;
constexpr int defaultMaxTokens = 1024;
constexpr int instructionLines = 4;

QDoubleSpinBox* makeDouble(const QString& name, double least, double most, double step,
                           double value) {
    auto* spin = new QDoubleSpinBox;
    spin->setObjectName(name);
    spin->setRange(least, most);
    spin->setSingleStep(step);
    spin->setDecimals(2);
    spin->setValue(value);
    return spin;
}

QSpinBox* makeWhole(const QString& name, int least, int most, int value) {
    auto* spin = new QSpinBox;
    spin->setObjectName(name);
    spin->setRange(least, most);
    spin->setValue(value);
    return spin;
}

}  // namespace

PlaySettingsPanel::PlaySettingsPanel(QWidget* parent)
    : VerticalScroll(new QWidget, parent),
      m_instruction(new QPlainTextEdit),
      m_temperature(
          makeDouble(QStringLiteral("play_temperature_dspin"), 0, 2, 0.1, defaultTemperature)),
      m_topK(makeWhole(QStringLiteral("play_top_k_spin"), 0, 1000, defaultTopK)),
      m_topP(makeDouble(QStringLiteral("play_top_p_dspin"), 0.01, 1, 0.01, defaultTopP)),
      m_minP(makeDouble(QStringLiteral("play_min_p_dspin"), 0, 0.99, 0.01, defaultMinP)),
      m_repetition(makeDouble(QStringLiteral("play_repetition_dspin"), 1, 2, 0.05, 1)),
      m_seed(makeWhole(QStringLiteral("play_seed_spin"), -1, std::numeric_limits<int>::max(), -1)),
      m_maxTokens(makeWhole(QStringLiteral("play_max_tokens_spin"), 1, 1 << 20, defaultMaxTokens)) {
    buildLayout();
}

void PlaySettingsPanel::buildLayout() {
    m_topK->setSpecialValueText(tr("off"));
    m_seed->setSpecialValueText(tr("random"));
    m_minP->setSpecialValueText(tr("off"));
    m_temperature->setSpecialValueText(tr("0 (greedy)"));
    m_instruction->setObjectName(QStringLiteral("play_sys_text"));
    m_instruction->setTabChangesFocus(true);
    m_instruction->setPlaceholderText(tr("None"));
    fitInstruction();
    auto* layout = new QVBoxLayout(widget());
    layout->setContentsMargins(space::focusRing, space::focusRing, space::controls,
                               space::focusRing);
    layout->setSpacing(space::inGroup);
    add(*layout, tr("&Instruction"), m_instruction, tr("Told to the model before the chat."));
    add(*layout, tr("&Temperature"), m_temperature,
        tr("Higher is more varied. 0 always takes the likeliest token."));
    add(*layout, tr("Top-&k"), m_topK, tr("Only the k likeliest tokens are drawn from."));
    add(*layout, tr("Top-&p"), m_topP,
        tr("Only the likeliest tokens that together hold this share."));
    add(*layout, tr("&Min-p"), m_minP,
        tr("Only tokens at least this likely, compared with the likeliest."));
    add(*layout, tr("Repetition penalt&y"), m_repetition,
        tr("Above 1, tokens of the last 64 become less likely."));
    add(*layout, tr("See&d"), m_seed, tr("The same seed gives the same answer."));
    add(*layout, tr("M&ost tokens"), m_maxTokens, tr("Where an answer is cut off at the latest."));
    auto* greedy = new PushButton(QStringLiteral("play_greedy_btn"), tr("&Greedy"));
    greedy->setToolTip(tr("Sets the temperature to 0: always the likeliest token."));
    auto* defaults = new PushButton(QStringLiteral("play_defaults_btn"), tr("Def&aults"));
    connect(greedy, &QPushButton::clicked, this, &PlaySettingsPanel::setGreedy);
    connect(defaults, &QPushButton::clicked, this, &PlaySettingsPanel::reset);
    auto* buttons = new QHBoxLayout;
    buttons->addWidget(greedy);
    buttons->addWidget(defaults);
    layout->addSpacing(space::controls);
    layout->addLayout(buttons);
    layout->addStretch(1);
}

void PlaySettingsPanel::fitInstruction() {
    m_instruction->setFixedHeight(fontMetrics().lineSpacing() * instructionLines);
}

void PlaySettingsPanel::changeEvent(QEvent* event) {
    VerticalScroll::changeEvent(event);
    if (event->type() == QEvent::FontChange) fitInstruction();
}

void PlaySettingsPanel::add(QVBoxLayout& layout, const QString& label, QWidget* control,
                            const QString& tip) {
    auto* name = new QLabel(label);
    name->setBuddy(control);
    QString plain = label;
    control->setAccessibleName(plain.remove(QLatin1Char('&')));
    control->setToolTip(tip);
    layout.addWidget(name);
    layout.addWidget(control);
    layout.addSpacing(space::inGroup);
}

GenerationOptions PlaySettingsPanel::options() const {
    GenerationOptions options;
    options.sampling.temperature = m_temperature->value();
    options.sampling.top_k = m_topK->value();
    options.sampling.top_p = m_topP->value();
    options.sampling.min_p = m_minP->value();
    options.sampling.repetition_penalty = m_repetition->value();
    options.sampling.seed = m_seed->value() < 0 ? QRandomGenerator::global()->generate64()
                                                : static_cast<std::uint64_t>(m_seed->value());
    options.max_tokens = m_maxTokens->value();
    return options;
}

QString PlaySettingsPanel::instruction() const { return m_instruction->toPlainText().trimmed(); }
void PlaySettingsPanel::setInstruction(const QString& text) { m_instruction->setPlainText(text); }

void PlaySettingsPanel::setContextLength(std::int64_t tokens) {
    m_maxTokens->setMaximum(static_cast<int>(std::clamp<std::int64_t>(tokens, 1, 1 << 20)));
}

void PlaySettingsPanel::setGreedy() { m_temperature->setValue(0); }

void PlaySettingsPanel::reset() {
    m_temperature->setValue(defaultTemperature);
    m_topK->setValue(defaultTopK);
    m_topP->setValue(defaultTopP);
    m_minP->setValue(defaultMinP);
    m_repetition->setValue(1);
    m_seed->setValue(-1);
    m_maxTokens->setValue(defaultMaxTokens);
}

}  // namespace espalier::ui
