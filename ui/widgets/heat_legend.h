#pragma once

#include <QWidget>

class QLineEdit;

namespace espalier::ui {

class HeatGradient;
class HeatView;
class PushButton;
class TextLabel;

/// What the colours and glyphs of a heat view mean: gradient with the cut, both limits to type
/// into, unit, where the limits come from, and the states with words.
class HeatLegend : public QWidget {
    Q_OBJECT

public:
    explicit HeatLegend(HeatView& view, QWidget* parent = nullptr);

protected:
    void changeEvent(QEvent* event) override;

private:
    void buildLayout();
    QLineEdit* makeEdit(const QString& part, const QString& label);
    void takeLimits();
    void showModel();
    QString limitsNote() const;
    QString cutText() const;

    HeatView& m_view;
    TextLabel* m_metric;
    QLineEdit* m_low;
    QLineEdit* m_high;
    HeatGradient* m_gradient;
    PushButton* m_automatic;
    TextLabel* m_note;
};

}  // namespace espalier::ui
