#pragma once

#include <QString>

namespace espalier::ui {

/// ESPALIER_CONFIG_DIR, else the desktop's folder for settings; "espalier.ini" in it.
QString settingsFile();

}  // namespace espalier::ui
