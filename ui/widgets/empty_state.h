#pragma once

#include <QWidget>

namespace espalier::ui {

class PushButton;

/// What stands where nothing is yet: one sentence, one primary button, one way to the bundled
/// sample.
class EmptyState : public QWidget {
    Q_OBJECT

public:
    struct Texts {
        QString sentence;
        QString action;
        QString sample;
    };
    /// @param area first part of the object names: `runs` gives `runs_empty_btn`, `runs_sample_btn`
    EmptyState(const QString& area, const Texts& texts, QWidget* parent = nullptr);

Q_SIGNALS:
    void actionRequested();
    void sampleRequested();
};

}  // namespace espalier::ui
