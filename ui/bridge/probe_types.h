#pragma once

#include <QMetaType>
#include <QString>
#include <cstdint>
#include <optional>
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

/// Whether tokens are still sent to the experts that the whole model chose, of those that stay.
struct ProbeRouting {
    std::string verdict;   ///< "pass", "warn", "fail"
    double recall = 0;     ///< mean over the layers
    double displaced = 0;  ///< share of the choices whose expert is gone
    double worstRecall = 0;
    std::int64_t worstLayer = 0;
    bool operator==(const ProbeRouting&) const = default;
};

/// What a plan costs on the texts read so far.
struct ProbeReading {
    std::vector<std::string> tasks;
    MaskMeasurement cost;
    MaskMeasurement whole;  ///< of the uncut model on the same tokens
    double share = 0;       ///< of the texts
    double seconds = 0;
    std::optional<ProbeRouting> routing = {};  ///< compared last, on a part of the texts
    bool isFinal() const { return share >= 1; }
};

}  // namespace espalier::ui

Q_DECLARE_METATYPE(espalier::ui::ProbeReading)
