#include "ui/models/table_text.h"

#include <QAbstractItemModel>
#include <QLocale>

namespace espalier::ui {
namespace {

QByteArray cellText(const QVariant& value, char separator) {
    if (value.userType() == QMetaType::Double)
        return QByteArray::number(value.toDouble(), 'g', QLocale::FloatingPointShortest);
    QString text = value.toString();
    const bool needsQuotes = text.contains(QLatin1Char(separator)) ||
                             text.contains(QLatin1Char('"')) || text.contains(QLatin1Char('\n'));
    if (!needsQuotes) return text.toUtf8();
    return '"' + text.replace(QLatin1Char('"'), QStringLiteral("\"\"")).toUtf8() + '"';
}

}  // namespace

QByteArray tableText(const QAbstractItemModel& table, TableFormat format) {
    const char separator = format == TableFormat::Csv ? ',' : '\t';
    QByteArray text;
    const auto addLine = [&](const auto& valueAt) {
        QByteArrayList cells;
        for (int column = 0; column < table.columnCount(); ++column)
            cells.append(cellText(valueAt(column), separator));
        text += cells.join(separator) + '\n';
    };
    addLine([&](int column) { return table.headerData(column, Qt::Horizontal); });
    for (int row = 0; row < table.rowCount(); ++row)
        addLine([&](int column) { return table.index(row, column).data(Qt::EditRole); });
    return text;
}

}  // namespace espalier::ui
