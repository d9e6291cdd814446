#pragma once

#include <QToolButton>

namespace espalier::ui {

class InfoView;

/// "RAM 1.2 / 15.4 GiB"; from 85 % with a warning, from 95 % with an alarm, in words and colour. A
/// click opens what it is made of.
class MemoryButton : public QToolButton {
    Q_OBJECT

public:
    struct Reading {
        quint64 ownBytes = 0;       ///< anonymous
        quint64 residentBytes = 0;  ///< mapped files too
        quint64 peakBytes = 0;
        quint64 availableAtStart = 0;
        quint64 availableNow = 0;
    };

    explicit MemoryButton(QWidget* parent = nullptr);

    void setReading(const Reading& reading);

protected:
    void changeEvent(QEvent* event) override;

private:
    void applyTheme();

    InfoView* m_details;
    double m_share = 0;
};

}  // namespace espalier::ui
