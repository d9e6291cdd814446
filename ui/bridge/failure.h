#pragma once

#include <QMetaType>
#include <QString>
#include <exception>

namespace espalier::ui {

/// What a person needs to know of an error: the sentence, what to do, and the code to search for.
struct Failure {
    QString code;
    QString message;
    QString hint;
    bool operator==(const Failure&) const = default;
};

/// Translates whatever a worker thread caught; never called for Cancelled.
Failure failureOf(const std::exception_ptr& caught);

}  // namespace espalier::ui

Q_DECLARE_METATYPE(espalier::ui::Failure)
