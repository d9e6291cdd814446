#include <QApplication>
#include <QCommandLineParser>
#include <QIcon>

#include "store/database.h"
#include "ui/bridge/background_worker.h"
#include "ui/bridge/playground_worker.h"
#include "ui/bridge/run_controller.h"
#include "ui/theme/theme_controller.h"
#include "ui/window/main_window.h"

namespace {

void parse(QCommandLineParser& parser, const QApplication& application) {
    parser.setApplicationDescription(QCoreApplication::translate(
        "main", "Shapes Mixture-of-Experts language models until they fit."));
    parser.addHelpOption();
    parser.addVersionOption();
    parser.addOption(
        {QStringLiteral("page"),
         QCoreApplication::translate("main", "Opens this page: start, wizard, runs or play."),
         QStringLiteral("name")});
    parser.addPositionalArgument(
        QStringLiteral("paths"),
        QCoreApplication::translate("main", "Model folders, .gguf files, recipes, texts."),
        QStringLiteral("[paths...]"));
    parser.process(application);
}

}  // namespace

int main(int argc, char* argv[]) {
    QApplication application(argc, argv);
    QApplication::setApplicationName(QStringLiteral("Espalier"));
    QApplication::setApplicationVersion(QStringLiteral(ESPALIER_VERSION));
    QApplication::setDesktopFileName(QStringLiteral("espalier"));
    QApplication::setWindowIcon(QIcon(QStringLiteral(":/icons/espalier.svg")));
    QCommandLineParser parser;
    parse(parser, application);

    espalier::ui::ThemeController theme;
    espalier::ui::BackgroundWorker worker(espalier::library_path());
    espalier::ui::RunController runs;
    espalier::ui::PlaygroundWorker playground;
    espalier::ui::MainWindow window({worker, runs, playground}, theme);
    const QString page = parser.value(QStringLiteral("page"));
    if (!page.isEmpty() && !window.showPage(page)) {
        fputs(
            qPrintable(QCoreApplication::translate("main", "There is no page \"%1\".\n").arg(page)),
            stderr);
        return 2;
    }
    window.openPaths(parser.positionalArguments());
    window.show();
    return QApplication::exec();
}
