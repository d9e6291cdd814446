#include "app/cli/input_lines.h"

#include <array>
#include <cerrno>
#include <poll.h>
#include <unistd.h>
#include <utility>

#include "base/cancel.h"

namespace espalier::cli {

std::optional<std::string> InputLines::next(const std::stop_token& stop) {
    std::size_t searched = begin_;
    while (true) {
        throw_if_stopped(stop);
        const std::size_t end = buffer_.find('\n', searched);
        if (end != std::string::npos) {
            std::string line = buffer_.substr(begin_, end - begin_);
            begin_ = end + 1;
            return line;
        }
        searched = buffer_.size() - begin_;
        buffer_.erase(0, begin_);
        begin_ = 0;
        if (!has_ended_ && read_more(stop)) continue;
        if (buffer_.empty()) return std::nullopt;
        return std::exchange(buffer_, {});
    }
}

/// False at the end of the input.
bool InputLines::read_more(const std::stop_token& stop) {
    constexpr int kLookForStopMs = 100;
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    while (::poll(&input, 1, kLookForStopMs) == 0) throw_if_stopped(stop);
    std::array<char, 1 << 16> piece;
    ssize_t count = 0;
    do {
        count = ::read(STDIN_FILENO, piece.data(), piece.size());
    } while (count < 0 && errno == EINTR);
    if (count <= 0) {
        has_ended_ = true;
        return false;
    }
    buffer_.append(piece.data(), static_cast<std::size_t>(count));
    return true;
}

}  // namespace espalier::cli
