#include "base/json.h"

#include <fmt/format.h>
#include <set>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"

namespace espalier {
namespace {

Error malformed(std::string_view source, std::string_view what) {
    return {ErrorCode::FileMalformed, fmt::format("{} is not valid JSON: {}.", source, what),
            "Download or write the file again."};
}

/// Refuses deep nesting and repeated keys while the parser runs, before a value is kept.
class Guard {
public:
    Guard(std::string_view source, JsonLimits limits) : source_(source), limits_(limits) {}

    bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
        using Event = Json::parse_event_t;
        if (event == Event::object_start || event == Event::array_start) {
            if (static_cast<std::size_t>(depth) >= limits_.max_depth) {
                throw malformed(source_, fmt::format("it nests deeper than {}", limits_.max_depth));
            }
        }
        if (event == Event::object_start) keys_.emplace_back();
        if (event == Event::object_end) keys_.pop_back();
        if (event == Event::key && !keys_.back().insert(parsed.get<std::string>()).second) {
            throw malformed(source_,
                            fmt::format("the key \"{}\" stands twice", parsed.get<std::string>()));
        }
        return true;
    }

private:
    std::string_view source_;
    JsonLimits limits_;
    std::vector<std::set<std::string>> keys_;
};

}  // namespace

Json parse_json(std::string_view text, std::string_view source, JsonLimits limits) {
    Guard guard(source, limits);
    try {
        return Json::parse(text.begin(), text.end(),
                           [&guard](int depth, Json::parse_event_t event, Json& parsed) {
                               return guard(depth, event, parsed);
                           });
    } catch (const Json::exception& error) {
        throw malformed(source, error.what());
    }
}

Json read_json_file(const std::filesystem::path& path, std::size_t max_bytes) {
    return parse_json(read_file(path, max_bytes), path.string());
}

void write_json_file(const std::filesystem::path& path, const Json& json) {
    write_file(path, json.dump(2) + "\n");
}

}  // namespace espalier
