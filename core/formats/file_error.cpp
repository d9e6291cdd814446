#include "formats/file_error.h"

#include <fmt/format.h>

#include "base/utf8.h"

namespace espalier {

Error malformed_file(const std::filesystem::path& path, std::string_view what) {
    return {ErrorCode::FileMalformed,
            fmt::format("{} is damaged: {}.", path.filename().string(), what),
            "Download or write the file again, then compare its checksum."};
}

Error truncated_file(const std::filesystem::path& path, std::string_view what) {
    return {ErrorCode::FileTruncated,
            fmt::format("{} is cut short: {}.", path.filename().string(), what),
            "Download the file again, then compare its checksum."};
}

Error unsupported_file(const std::filesystem::path& path, std::string_view what) {
    return {ErrorCode::FileUnsupported,
            fmt::format("{} cannot be read: {}.", path.filename().string(), what),
            "Look for the model in another form."};
}

std::string in_quotes(std::string_view name) {
    constexpr std::size_t kLongest = 100;
    if (name.size() <= kLongest) return fmt::format("\"{}\"", replace_invalid_utf8(name));
    return fmt::format("\"{}…\"", replace_invalid_utf8(name.substr(0, kLongest)));
}

}  // namespace espalier
