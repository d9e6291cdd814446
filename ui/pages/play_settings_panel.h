#pragma once

#include "infer/generator.h"
#include "ui/widgets/vertical_scroll.h"

class QDoubleSpinBox;
class QPlainTextEdit;
class QSpinBox;
class QVBoxLayout;

namespace espalier::ui {

/// How the next token is chosen, and the instruction of the chat.
class PlaySettingsPanel : public VerticalScroll {
    Q_OBJECT

public:
    explicit PlaySettingsPanel(QWidget* parent = nullptr);

    GenerationOptions options() const;
    QString instruction() const;
    void setInstruction(const QString& text);
    void setContextLength(std::int64_t tokens);

protected:
    void changeEvent(QEvent* event) override;

private:
    void buildLayout();
    void fitInstruction();
    void add(QVBoxLayout& layout, const QString& label, QWidget* control, const QString& tip);
    void setGreedy();
    void reset();

    QPlainTextEdit* m_instruction;
    QDoubleSpinBox* m_temperature;
    QSpinBox* m_topK;
    QDoubleSpinBox* m_topP;
    QDoubleSpinBox* m_minP;
    QDoubleSpinBox* m_repetition;
    QSpinBox* m_seed;
    QSpinBox* m_maxTokens;
};

}  // namespace espalier::ui
