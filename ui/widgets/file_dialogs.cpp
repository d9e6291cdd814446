#include "ui/widgets/file_dialogs.h"

#include <QFileDialog>

namespace espalier::ui {
namespace {

QFileDialog* makeDialog(QWidget& parent, const QString& title) {
    auto* dialog = new QFileDialog(&parent, title);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setObjectName(QStringLiteral("dlgFile"));
    if (qEnvironmentVariableIsSet("ESPALIER_UI_TEST"))
        dialog->setOption(QFileDialog::DontUseNativeDialog);
    return dialog;
}

}  // namespace

void askForFolder(QWidget& parent, const QString& title,
                  const std::function<void(const QString&)>& take) {
    QFileDialog* dialog = makeDialog(parent, title);
    dialog->setFileMode(QFileDialog::Directory);
    dialog->setOption(QFileDialog::ShowDirsOnly);
    QObject::connect(dialog, &QFileDialog::fileSelected, &parent, take);
    dialog->open();
}

void askForFiles(QWidget& parent, const QString& title, const QString& filter,
                 const std::function<void(const QStringList&)>& take) {
    QFileDialog* dialog = makeDialog(parent, title);
    dialog->setFileMode(QFileDialog::ExistingFiles);
    dialog->setNameFilter(filter);
    QObject::connect(dialog, &QFileDialog::filesSelected, &parent, take);
    dialog->open();
}

void askForTarget(QWidget& parent, const QString& title, const QString& name, const QString& filter,
                  const std::function<void(const QString&)>& take) {
    QFileDialog* dialog = makeDialog(parent, title);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setFileMode(QFileDialog::AnyFile);
    dialog->setNameFilter(filter);
    dialog->selectFile(name);
    QObject::connect(dialog, &QFileDialog::fileSelected, &parent, take);
    dialog->open();
}

}  // namespace espalier::ui
