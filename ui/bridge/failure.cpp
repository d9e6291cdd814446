#include "ui/bridge/failure.h"

#include <QCoreApplication>
#include <new>

#include "base/error.h"

namespace espalier::ui {
namespace {

QString codeText(ErrorCode code) {
    const std::string_view text = code_text(code);
    return QString::fromUtf8(text.data(), static_cast<qsizetype>(text.size()));
}

}  // namespace

Failure failureOf(const std::exception_ptr& caught) {
    try {
        std::rethrow_exception(caught);
    } catch (const Error& error) {
        return {codeText(error.code()), QString::fromUtf8(error.what()),
                QString::fromStdString(error.hint())};
    } catch (const std::bad_alloc&) {
        return {codeText(ErrorCode::MemoryExceeded),
                QCoreApplication::translate("Failure", "There is not enough memory for this."),
                QCoreApplication::translate("Failure",
                                            "Close other programs or choose a smaller model.")};
    } catch (const std::exception& error) {
        return {codeText(ErrorCode::RunStage), QString::fromUtf8(error.what()), {}};
    }
}

}  // namespace espalier::ui
