#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace espalier {

/// Passes a stream of text on until one of some stop texts appears, wherever the pieces are cut.
/// Text that may turn out to be the beginning of a stop text waits.
class StopTextFilter {
public:
    /// Empty stop texts are ignored.
    explicit StopTextFilter(std::vector<std::string> stop_texts);

    /// Text that is certain now. After a stop text was found: nothing.
    std::string push(std::string_view piece);
    /// What still waits, when the stream ends without a stop text.
    std::string finish();
    bool found() const noexcept { return found_; }

private:
    std::vector<std::string> stop_texts_;
    std::string waiting_;
    bool found_ = false;
};

}  // namespace espalier
