#pragma once

#include <QWidget>

class QPlainTextEdit;

namespace espalier::ui {

class PushButton;
class TextLabel;

/// A text that the model continues as it stands; what it wrote is marked until the text is edited.
class PlayCompletion : public QWidget {
    Q_OBJECT

public:
    explicit PlayCompletion(QWidget* parent = nullptr);

    QString text() const;
    void append(const QString& piece);
    void setFigures(const QString& figures);
    void setBusy(bool isBusy);
    void setCanContinue(bool can);

Q_SIGNALS:
    void continueRequested();
    void stopRequested();

private:
    QPlainTextEdit* m_text;
    TextLabel* m_figures;
    PushButton* m_continue;
    PushButton* m_stop;
};

}  // namespace espalier::ui
