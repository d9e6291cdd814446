#pragma once

#include <QMetaType>
#include <QString>
#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "eval/mask_probe.h"

namespace espalier::ui {

/// Texts that a plan is measured on.
struct ProbeSource {
    QString file;                  ///< a probe set of its own; empty: what calibration kept out
    std::vector<DataSource> data;  ///< of those texts
    std::int64_t context = 512;
    std::int64_t maxTokens = 16'384;
    bool operator==(const ProbeSource&) const = default;
};

/// What a plan costs on the texts read so far.
struct ProbeReading {
    std::vector<std::string> tasks;
    MaskMeasurement cost;
    MaskMeasurement whole;  ///< of the uncut model on the same tokens
    double share = 0;       ///< of the texts
    double seconds = 0;
    bool isFinal() const { return share >= 1; }
};

}  // namespace espalier::ui

Q_DECLARE_METATYPE(espalier::ui::ProbeReading)
