#pragma once

#include <QString>
#include <cstdint>

/// Numbers as people read them, in the user's locale.
namespace espalier::ui::format {

/// Files: "18.6 GB" (10^9).
QString fileSize(std::uint64_t bytes);
/// Memory: "9.8 GiB" (2^30).
QString memory(std::uint64_t bytes);
/// "16.4 M", "30.5 B".
QString parameters(std::uint64_t count);
QString integer(std::int64_t value);
/// Two units at most: "2 h 10 min", "41 s".
QString duration(double seconds);
/// One decimal under 100, none above; with the unit.
QString speed(double tokensPerSecond);
/// Four significant digits.
QString significant(double value);
QString percent(double share);
/// A run's state as a word for people.
QString runState(const QString& state);
/// A stage of a recipe as a word for people.
QString stageName(const QString& stage);
/// "pass", "warn" or "fail" as words for people, with a sign; other texts as they are.
QString routingVerdict(const QString& verdict);
/// "estimated": marks what was not measured.
QString estimated(const QString& text);

}  // namespace espalier::ui::format
