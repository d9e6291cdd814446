#pragma once

#include <QString>
#include <optional>

#include "ui/bridge/fit.h"
#include "ui/bridge/model_entry.h"

/// The words of the library's table. Columns are LibraryModel's.
namespace espalier::ui {

struct RowView {
    const ModelEntry& entry;
    const std::optional<FitSum>& fit;
    qint64 tokens = 0;
};

QString cellText(const RowView& row, int column);
/// What does not fit into a cell, or stands behind it: the path, the sum of the memory.
QString cellTip(const RowView& row, int column);
/// For screen readers: words in place of glyphs and crosses.
QString cellSpoken(const RowView& row, int column);
QString headerText(int column);
QString headerTip(int column);
bool isNumberColumn(int column);

/// "hub cache", "run".
QString originText(EntryOrigin origin);
/// "fits with paging".
QString fitText(Fit fit);
/// Why a model cannot be compressed: one plain word or two; empty if it can.
QString obstacleText(const ModelEntry& entry);
/// The same as a sentence, with what to do.
QString obstacleSentence(const ModelEntry& entry);

}  // namespace espalier::ui
