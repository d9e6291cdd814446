#include "base/error.h"

#include <array>
#include <utility>

namespace espalier {
namespace {

struct CodeRow {
    std::string_view text;
    int exit_code;
};

constexpr int kUsage = 2;
constexpr int kBadInput = 3;
constexpr int kNoRoom = 4;
constexpr int kVerification = 5;

// In the order of ErrorCode.
constexpr std::array kCodes{
    CodeRow{"E-FILE-01", kBadInput},       CodeRow{"E-FILE-02", kBadInput},
    CodeRow{"E-FILE-03", kBadInput},       CodeRow{"E-FILE-04", kBadInput},
    CodeRow{"E-FILE-05", kBadInput},       CodeRow{"E-FILE-06", kBadInput},
    CodeRow{"E-FILE-07", kBadInput},       CodeRow{"E-ARCH-01", kBadInput},
    CodeRow{"E-ARCH-02", kBadInput},       CodeRow{"E-ARCH-03", kBadInput},
    CodeRow{"E-MEM-01", kNoRoom},          CodeRow{"E-DISK-01", kNoRoom},
    CodeRow{"E-DISK-02", kNoRoom},         CodeRow{"E-DATA-01", kBadInput},
    CodeRow{"E-DATA-02", kBadInput},       CodeRow{"E-RUN-01", kBadInput},
    CodeRow{"E-RUN-02", kBadInput},        CodeRow{"E-RUN-03", kBadInput},
    CodeRow{"E-RUN-04", kBadInput},        CodeRow{"E-NUM-01", kVerification},
    CodeRow{"E-GGUF-01", kBadInput},       CodeRow{"E-TMPL-01", kBadInput},
    CodeRow{"E-TMPL-02", kBadInput},       CodeRow{"E-TMPL-03", kBadInput},
    CodeRow{"E-VERIFY-01", kVerification}, CodeRow{"E-USE-01", kUsage},
    CodeRow{"E-STORE-01", kBadInput},
};
static_assert(kCodes.size() == static_cast<std::size_t>(ErrorCode::StoreFailed) + 1);

}  // namespace

std::string_view code_text(ErrorCode code) noexcept {
    return kCodes[static_cast<std::size_t>(code)].text;
}

int exit_code(ErrorCode code) noexcept { return kCodes[static_cast<std::size_t>(code)].exit_code; }

Error::Error(ErrorCode code, const std::string& message, std::string hint)
    : std::runtime_error(message), code_(code), hint_(std::move(hint)) {}

}  // namespace espalier
