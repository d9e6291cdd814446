#pragma once

#include <cstddef>
#include <optional>
#include <stop_token>
#include <string>

namespace espalier::cli {

/// The lines of stdin. Waits for the next one, but not past a stop request.
class InputLines {
public:
    /// Without its end; nothing after the last one. @throws Cancelled
    std::optional<std::string> next(const std::stop_token& stop);

private:
    bool read_more(const std::stop_token& stop);

    std::string buffer_;
    std::size_t begin_ = 0;  ///< of what has not been handed out
    bool has_ended_ = false;
};

}  // namespace espalier::cli
