#pragma once

#include <QTimer>
#include <QWidget>

#include "ui/widgets/memory_button.h"

class QProgressBar;

namespace espalier::ui {

class PushButton;
class TextLabel;

/// One line at the bottom of the window: the running job, or the last word; and the memory
/// read-out.
class JobStrip : public QWidget {
    Q_OBJECT

public:
    explicit JobStrip(QWidget* parent = nullptr);

    /// @param fraction 0 to 1
    void showJob(const QString& text, double fraction);
    void showStopping(const QString& text);
    /// What came out of the last job; goes after a while.
    void showResult(const QString& text);
    void setMemory(const MemoryButton::Reading& reading) { m_memory->setReading(reading); }
    /// Told to screen readers too, at most one every three seconds; the newest wins.
    void announce(const QString& text);

Q_SIGNALS:
    void openRequested();
    void stopRequested();

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    void buildLayout();
    void say(const QString& text);
    void setJobVisible(bool isVisible, bool canStop);

    TextLabel* m_label;
    QProgressBar* m_bar;
    PushButton* m_open;
    PushButton* m_stop;
    MemoryButton* m_memory;
    QTimer m_resultTimer;
    QTimer m_quiet;
    QString m_pending;
};

}  // namespace espalier::ui
