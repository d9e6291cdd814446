#pragma once

#include <QString>
#include <optional>

namespace espalier::ui {

/// Folder of the bundled sample (model, calibration, heldout): ESPALIER_SAMPLE_DIR, else found from
/// where the program lies, installed or in its build folder.
std::optional<QString> sampleFolder();

}  // namespace espalier::ui
