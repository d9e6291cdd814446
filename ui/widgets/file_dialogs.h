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

}  // namespace espalier::ui
