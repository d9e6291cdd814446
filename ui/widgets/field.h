#pragma once

#include <QWidget>

class QLabel;

namespace espalier::ui {

/// A label above a control, help under it, and the rule that was broken in place of the help.
class Field : public QWidget {
    Q_OBJECT

public:
    /// The label becomes the control's buddy and, without its mnemonic, its accessible name.
    Field(const QString& label, QWidget* control, const QString& help = {},
          QWidget* parent = nullptr);

    void setHelp(const QString& help);
    /// An empty text takes the problem away.
    void setProblem(const QString& problem);

protected:
    void changeEvent(QEvent* event) override;

private:
    void showNote();

    QWidget* m_control;
    QLabel* m_note;
    QString m_help;
    QString m_problem;
};

}  // namespace espalier::ui
