#include <QApplication>
#include <QCommandLineParser>
#include <QIcon>
#include <QMessageBox>
#include <cstdio>

#include "base/blas_kernels.h"
#include "base/error.h"
#include "store/database.h"
#include "ui/bridge/background_worker.h"
#include "ui/bridge/failure.h"
#include "ui/bridge/playground_worker.h"
#include "ui/bridge/run_controller.h"
#include "ui/theme/theme_controller.h"
#include "ui/window/main_window.h"

namespace {

using espalier::Error;
using espalier::ErrorCode;
using espalier::ui::Failure;

QString tr(const char* text) { return QCoreApplication::translate("main", text); }

void parse(QCommandLineParser& parser, const QApplication& application) {
    parser.setApplicationDescription(
        tr("Shapes Mixture-of-Experts language models until they fit."));
    parser.addHelpOption();
    parser.addVersionOption();
    parser.addOption({QStringLiteral("page"),
                      tr("Opens this page: start, models, wizard, runs or play."),
                      QStringLiteral("name")});
    parser.addPositionalArgument(QStringLiteral("paths"),
                                 tr("Model folders, .gguf files, recipes, texts."),
                                 QStringLiteral("[paths...]"));
    parser.process(application);
}

int showWindow(const QCommandLineParser& parser, espalier::ui::ThemeController& theme) {
    espalier::ui::BackgroundWorker worker(espalier::library_path());
    espalier::ui::RunController runs;
    espalier::ui::PlaygroundWorker playground;
    espalier::ui::MainWindow window({worker, runs, playground}, theme);
    const QString page = parser.value(QStringLiteral("page"));
    if (!page.isEmpty() && !window.showPage(page)) {
        throw Error(ErrorCode::UsageInvalid, tr("There is no page \"%1\".").arg(page).toStdString(),
                    tr("Give start, models, wizard, runs or play.").toStdString());
    }
    window.openPaths(parser.positionalArguments());
    window.show();
    return QApplication::exec();
}

/// Says it on stderr for whoever started the program there, and in a dialog for everybody else.
int fail(const Failure& failure, ErrorCode code) {
    std::fputs(
        qPrintable(QStringLiteral("%1 %2 (%3)\n").arg(failure.message, failure.hint, failure.code)),
        stderr);
    QMessageBox box(QMessageBox::Critical, QStringLiteral("Espalier"), failure.message,
                    QMessageBox::Close);
    box.setObjectName(QStringLiteral("dlgFailure"));
    box.setInformativeText(QStringLiteral("%1\n\n%2").arg(failure.hint, failure.code));
    box.exec();
    return espalier::exit_code(code);
}

}  // namespace

int main(int argc, char* argv[]) {
    espalier::choose_blas_kernels();
    QApplication application(argc, argv);
    QApplication::setApplicationName(QStringLiteral("Espalier"));
    QApplication::setApplicationVersion(QStringLiteral(ESPALIER_VERSION));
    QApplication::setDesktopFileName(QStringLiteral("espalier"));
    QApplication::setWindowIcon(QIcon(QStringLiteral(":/icons/espalier.svg")));
    QCommandLineParser parser;
    parse(parser, application);
    espalier::ui::ThemeController theme;
    try {
        return showWindow(parser, theme);
    } catch (const Error& error) {
        return fail(espalier::ui::failureOf(std::current_exception()), error.code());
    } catch (...) {
        return fail(espalier::ui::failureOf(std::current_exception()), ErrorCode::RunStage);
    }
}
