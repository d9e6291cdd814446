#pragma once

#include <QDialog>
#include <functional>

#include "pipeline/runner.h"
#include "ui/bridge/services.h"

class QVBoxLayout;

namespace espalier::ui {

class Banner;
struct Failure;

/// A sheet that asks for what a run needs and starts it, or gives it as a command: the frame, the
/// banner, and the buttons of all such sheets.
class ExpertsRunSheet : public QDialog {
    Q_OBJECT

public:
    /// @param name of the dialog; its parts are called `<name>_…`
    ExpertsRunSheet(const Services& services, const QString& name, const QString& title,
                    QWidget* parent);

Q_SIGNALS:
    void started(const QString& folder);

protected:
    /// Words that come or wrap make the sheet taller: none is cut off.
    bool event(QEvent* event) override;
    const Services& services() const { return m_services; }
    Banner& banner() { return *m_banner; }
    /// The name of a part: "dlgApply_" and what it is.
    QString partName(const char* part) const;
    /// Below the banner.
    QVBoxLayout& content() { return *m_content; }
    /// Below the content, once it is there: so Tab comes to them last.
    void addButtons();
    void showFailure(const Failure& failure);

    /// Says on the sheet what is missing, if anything is.
    virtual bool isReady() = 0;
    /// What makes the run of what was entered, on another thread. @throws Error
    virtual std::function<RunRequest()> makeRun() const = 0;
    /// The same as a command line.
    virtual std::function<QString()> makeCommand() const = 0;

private:
    void start();
    void copyCommand();

    Services m_services;
    Banner* m_banner;
    QVBoxLayout* m_content;
};

}  // namespace espalier::ui
