#include "ui/window/settings_file.h"

#include <QDir>
#include <QStandardPaths>

namespace espalier::ui {

QString settingsFile() {
    QString folder = qEnvironmentVariable("ESPALIER_CONFIG_DIR");
    if (folder.isEmpty()) {
        folder = QStandardPaths::writableLocation(QStandardPaths::GenericConfigLocation) +
                 QStringLiteral("/espalier");
    }
    return QDir(folder).filePath(QStringLiteral("espalier.ini"));
}

}  // namespace espalier::ui
