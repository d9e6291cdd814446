#include "ui/models/format.h"

#include <QCoreApplication>
#include <QLocale>
#include <cmath>

namespace espalier::ui::format {
namespace {

QString tr(const char* text, const char* comment = nullptr) {
    return QCoreApplication::translate("format", text, comment);
}

}  // namespace

QString fileSize(std::uint64_t bytes) {
    return QLocale().formattedDataSize(static_cast<qint64>(bytes), 1, QLocale::DataSizeSIFormat);
}

QString memory(std::uint64_t bytes) {
    return QLocale().formattedDataSize(static_cast<qint64>(bytes), 1, QLocale::DataSizeIecFormat);
}

QString parameters(std::uint64_t count) {
    const QLocale locale;
    const auto value = static_cast<double>(count);
    if (value >= 1e12)
        return tr("%1 T", "10^12 parameters").arg(locale.toString(value / 1e12, 'f', 2));
    if (value >= 1e9)
        return tr("%1 B", "10^9 parameters").arg(locale.toString(value / 1e9, 'f', 1));
    if (value >= 1e6)
        return tr("%1 M", "10^6 parameters").arg(locale.toString(value / 1e6, 'f', 1));
    return locale.toString(static_cast<qulonglong>(count));
}

QString integer(std::int64_t value) { return QLocale().toString(static_cast<qlonglong>(value)); }

QString duration(double seconds) {
    if (seconds < 0.1) return tr("%1 ms").arg(QLocale().toString(seconds * 1000, 'f', 0));
    if (seconds < 10) return tr("%1 s").arg(QLocale().toString(seconds, 'f', 1));
    const auto whole = static_cast<qint64>(std::llround(seconds));
    if (whole < 60) return tr("%1 s").arg(whole);
    if (whole < 3600) return tr("%1 min %2 s").arg(whole / 60).arg(whole % 60);
    return tr("%1 h %2 min").arg(whole / 3600).arg(whole % 3600 / 60);
}

QString speed(double tokensPerSecond) {
    return tr("%1 tokens/s")
        .arg(QLocale().toString(tokensPerSecond, 'f', tokensPerSecond < 100 ? 1 : 0));
}

QString significant(double value) { return QLocale().toString(value, 'g', 4); }

QString percent(double share) { return tr("%1 %").arg(QLocale().toString(share * 100, 'f', 1)); }

QString runState(const QString& state) {
    if (state == QLatin1String("running")) return tr("running");
    if (state == QLatin1String("finished")) return tr("finished");
    if (state == QLatin1String("held")) return tr("waits for you");
    if (state == QLatin1String("stopped")) return tr("stopped");
    if (state == QLatin1String("failed")) return tr("failed");
    if (state == QLatin1String("interrupted")) return tr("interrupted");
    return state;
}

QString stageName(const QString& stage) {
    if (stage == QLatin1String("calibrate")) return tr("Calibrate");
    if (stage == QLatin1String("prune")) return tr("Prune");
    if (stage == QLatin1String("quantize")) return tr("Quantise");
    if (stage == QLatin1String("evaluate")) return tr("Evaluate");
    return stage;
}

QString routingVerdict(const QString& verdict) {
    if (verdict == QLatin1String("pass")) return tr("✓ pass");
    if (verdict == QLatin1String("warn")) return tr("! look closer");
    if (verdict == QLatin1String("fail")) return tr("✕ fail");
    return verdict;
}

QString estimated(const QString& text) { return tr("≈ %1").arg(text); }

}  // namespace espalier::ui::format
