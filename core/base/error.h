#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace espalier {

/// Every kind of failure that a person can act on. The text of each (`E-FILE-03`) is stable:
/// scripts and bug reports quote it. The family decides the exit code of the command line.
enum class ErrorCode {
    FileMissing,        ///< E-FILE-01: not there, or not readable
    FilePermission,     ///< E-FILE-02
    FileTruncated,      ///< E-FILE-03: shorter than its own header says
    FileMalformed,      ///< E-FILE-04: a field of the format has an impossible value
    FileUnsupported,    ///< E-FILE-05: valid, but a version or type that Espalier cannot read
    FileHash,           ///< E-FILE-06: content differs from what was recorded
    FileExists,         ///< E-FILE-07: would overwrite
    ArchUnknown,        ///< E-ARCH-01: model type or flag not known
    ArchTensor,         ///< E-ARCH-02: tensor missing, of the wrong shape or unknown
    ArchConfig,         ///< E-ARCH-03: config.json lacks or contradicts something
    MemoryExceeded,     ///< E-MEM-01
    DiskFull,           ///< E-DISK-01
    DiskWrite,          ///< E-DISK-02
    DataLine,           ///< E-DATA-01: a line or field of the user's data
    DataEmpty,          ///< E-DATA-02: nothing left to work on
    RunStage,           ///< E-RUN-01: a stage failed or cannot be run
    RunLocked,          ///< E-RUN-02: another process has this run open
    RunRecipe,          ///< E-RUN-03: the recipe or a config field is wrong
    RunModule,          ///< E-RUN-04: the learning module cannot be opened
    NumberInvalid,      ///< E-NUM-01: NaN or infinity
    GgufInexpressible,  ///< E-GGUF-01: the format has no words for it
    TemplateMissing,    ///< E-TMPL-01
    TemplateUnknown,    ///< E-TMPL-02: a construct outside what is understood
    TemplateRaised,     ///< E-TMPL-03: the template itself refused the messages
    VerifyFailed,       ///< E-VERIFY-01: what was written does not read back the same
    UsageInvalid,       ///< E-USE-01: command line or call
    StoreFailed,        ///< E-STORE-01: the library database
};

/// "E-FILE-03".
std::string_view code_text(ErrorCode code) noexcept;

/// 2 usage, 3 bad input, 4 not enough memory or disk, 5 verification failed.
int exit_code(ErrorCode code) noexcept;

/// The one exception for what a person can act on. `what()` is a whole sentence: which file or
/// tensor, what was expected, what was found. The hint says what to do.
class Error : public std::runtime_error {
public:
    Error(ErrorCode code, const std::string& message, std::string hint = {});

    ErrorCode code() const noexcept { return code_; }
    const std::string& hint() const noexcept { return hint_; }

private:
    ErrorCode code_;
    std::string hint_;
};

}  // namespace espalier
