#include "ui/pages/experts_run_sheet.h"

#include <QClipboard>
#include <QEvent>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QVBoxLayout>

#include "ui/bridge/background_worker.h"
#include "ui/bridge/run_controller.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/push_button.h"

namespace espalier::ui {
namespace {

constexpr int leastWidth = 560;

}  // namespace

ExpertsRunSheet::ExpertsRunSheet(const Services& services, const QString& name,
                                 const QString& title, QWidget* parent)
    : QDialog(parent), m_services(services) {
    setObjectName(name);
    setWindowTitle(title);
    setAttribute(Qt::WA_DeleteOnClose);
    setMinimumWidth(leastWidth);
    m_banner = new Banner(partName("banner"));
    m_content = new QVBoxLayout(this);
    m_content->setSpacing(space::groups);
    m_content->addWidget(m_banner);
}

bool ExpertsRunSheet::event(QEvent* event) {
    const bool isHandled = QDialog::event(event);
    if (event->type() == QEvent::LayoutRequest) {
        const int needed = m_content->totalHeightForWidth(width());
        if (needed > height()) resize(width(), needed);
    }
    return isHandled;
}

QString ExpertsRunSheet::partName(const char* part) const {
    return objectName() + QLatin1Char('_') + QLatin1String(part);
}

void ExpertsRunSheet::addButtons() {
    auto* copy = (new PushButton(partName("copy_btn"), tr("&Copy as command")))
                     ->withIcon(QStringLiteral("copy"));
    auto* cancel = new PushButton(partName("cancel_btn"), tr("Cancel"));
    auto* start = (new PushButton(partName("start_btn"), tr("&Start run")))->asPrimary();
    start->setDefault(true);
    connect(copy, &QPushButton::clicked, this, &ExpertsRunSheet::copyCommand);
    connect(cancel, &QPushButton::clicked, this, &QDialog::reject);
    connect(start, &QPushButton::clicked, this, &ExpertsRunSheet::start);
    auto* buttons = new QHBoxLayout;
    buttons->addWidget(copy);
    buttons->addStretch(1);
    buttons->addWidget(cancel);
    buttons->addWidget(start);
    m_content->addLayout(buttons);
}

void ExpertsRunSheet::start() {
    if (!isReady()) return;
    if (m_services.runs.isBusy()) {
        m_banner->showMessage(BannerKind::Warn,
                              tr("A run is going on. Start this one when it has ended."));
        return;
    }
    m_services.worker.ask(
        this, "start", [make = makeRun()](TaskContext&) { return make(); },
        [this](const RunRequest& request) {
            if (m_services.runs.isBusy()) return;
            m_services.runs.start(request);
            Q_EMIT started(QString::fromStdString(request.out.string()));
            accept();
        },
        [this](const Failure& failure) { showFailure(failure); });
}

void ExpertsRunSheet::copyCommand() {
    if (!isReady()) return;
    m_services.worker.ask(
        this, "command", [make = makeCommand()](TaskContext&) { return make(); },
        [](const QString& command) { QGuiApplication::clipboard()->setText(command); },
        [this](const Failure& failure) { showFailure(failure); });
}

void ExpertsRunSheet::showFailure(const Failure& failure) {
    m_banner->showError(failure.code, failure.message, failure.hint);
}

}  // namespace espalier::ui
