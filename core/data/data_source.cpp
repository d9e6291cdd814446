#include <fmt/format.h>

#include "base/error.h"
#include "data/dataset.h"

namespace espalier {

DataSource parse_data_source(std::string_view text) {
    DataSource source;
    const std::size_t equals = text.find('=');
    const std::string_view before = text.substr(0, equals);
    const bool has_task = equals != std::string_view::npos && before.find('/') == before.npos;
    if (has_task) source.task = std::string(before);
    source.path = std::filesystem::path(has_task ? text.substr(equals + 1) : text);
    if (source.path.empty() || (has_task && before.empty())) {
        throw Error(ErrorCode::UsageInvalid, fmt::format("\"{}\" does not name a data file.", text),
                    "Give a path, or a label and a path as in python=code.txt.");
    }
    if (source.task.empty()) source.task = source.path.stem().string();
    return source;
}

}  // namespace espalier
