#include "ui/bridge/sample.h"

#include <QCoreApplication>
#include <QDir>

namespace espalier::ui {

std::optional<QString> sampleFolder() {
    QStringList candidates{qEnvironmentVariable("ESPALIER_SAMPLE_DIR")};
    QDir folder(QCoreApplication::applicationDirPath());
    candidates.append(folder.filePath(QStringLiteral("../share/espalier/sample")));
    constexpr int levels = 4;  // build/<preset>/bin
    for (int i = 0; i < levels; ++i) {
        candidates.append(folder.filePath(QStringLiteral("resources/sample")));
        folder.cdUp();
    }
    for (const QString& candidate : candidates) {
        if (!candidate.isEmpty() && QDir(candidate + QStringLiteral("/model")).exists()) {
            return QDir(candidate).canonicalPath();
        }
    }
    return std::nullopt;
}

}  // namespace espalier::ui
