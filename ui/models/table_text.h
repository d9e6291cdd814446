#pragma once

#include <QByteArray>

class QAbstractItemModel;

namespace espalier::ui {

enum class TableFormat { Csv, Tsv };

/// All rows of a table in their order, its numbers (Qt::EditRole) in full precision with a point,
/// for other programs.
QByteArray tableText(const QAbstractItemModel& table, TableFormat format);

}  // namespace espalier::ui
