#pragma once

#include <QString>
#include <functional>

class QWidget;

namespace espalier::ui {

/// File dialogs that do not stop the window: the answer comes when there is one, and nothing comes
/// when the dialog is closed.
void askForFolder(QWidget& parent, const QString& title,
                  const std::function<void(const QString&)>& take);
void askForFiles(QWidget& parent, const QString& title, const QString& filter,
                 const std::function<void(const QStringList&)>& take);
/// Where to write a file. @param name what it is called unless the user says otherwise
void askForTarget(QWidget& parent, const QString& title, const QString& name, const QString& filter,
                  const std::function<void(const QString&)>& take);

}  // namespace espalier::ui
