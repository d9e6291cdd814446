#include "base/json.h"

#include <algorithm>
#include <fmt/format.h>
#include <string>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/utf8.h"

namespace espalier {
namespace {

Error malformed(std::string_view source, std::string_view what) {
    return {ErrorCode::FileMalformed, fmt::format("{} is not valid JSON: {}.", source, what),
            "Download or write the file again."};
}

/// Builds values bottom-up. The library's own builder looks every new key up in the object so far,
/// which is quadratic: a vocabulary of 150,000 tokens would take minutes.
class Builder : public nlohmann::json_sax<Json> {
public:
    Builder(std::string_view source, JsonLimits limits) : source_(source), limits_(limits) {}

    Json take() { return std::move(root_); }

    bool null() override { return put(nullptr); }
    bool boolean(bool value) override { return put(value); }
    bool number_integer(number_integer_t value) override { return put(value); }
    bool number_unsigned(number_unsigned_t value) override { return put(value); }
    bool number_float(number_float_t value, const string_t&) override { return put(value); }
    bool string(string_t& value) override { return put(std::move(value)); }
    bool binary(binary_t&) override { return false; }  // JSON text has none

    bool start_object(std::size_t) override { return open(); }
    bool start_array(std::size_t) override { return open(); }

    bool key(string_t& value) override {
        open_.back().keys.push_back(std::move(value));
        return true;
    }

    bool end_array() override {
        Json array = Json::array();
        array.get_ref<Json::array_t&>() = std::move(open_.back().values);
        open_.pop_back();
        return put(std::move(array));
    }

    bool end_object() override {
        Open closed = std::move(open_.back());
        open_.pop_back();
        refuse_repeated(closed.keys);
        Json object = Json::object();
        auto& members = object.get_ref<Json::object_t&>();
        members.reserve(closed.keys.size());
        for (std::size_t i = 0; i < closed.keys.size(); ++i) {
            members.emplace_back(std::move(closed.keys[i]), std::move(closed.values[i]));
        }
        return put(std::move(object));
    }

    bool parse_error(std::size_t, const std::string&, const Json::exception& error) override {
        throw malformed(source_, replace_invalid_utf8(error.what()));
    }

private:
    struct Open {
        std::vector<std::string> keys;
        std::vector<Json> values;
    };

    bool open() {
        if (open_.size() >= limits_.max_depth) {
            throw malformed(source_, fmt::format("it nests deeper than {}", limits_.max_depth));
        }
        open_.emplace_back();
        return true;
    }

    bool put(Json value) {
        if (open_.empty()) {
            root_ = std::move(value);
        } else {
            open_.back().values.push_back(std::move(value));
        }
        return true;
    }

    void refuse_repeated(const std::vector<std::string>& keys) const {
        std::vector<std::string_view> sorted(keys.begin(), keys.end());
        std::sort(sorted.begin(), sorted.end());
        const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
        if (twice != sorted.end()) {
            throw malformed(source_, fmt::format("the key \"{}\" stands twice", *twice));
        }
    }

    std::string_view source_;
    JsonLimits limits_;
    std::vector<Open> open_;
    Json root_;
};

}  // namespace

Json parse_json(std::string_view text, std::string_view source, JsonLimits limits) {
    if (text.find('\0') != std::string_view::npos) {  // the library takes it for the end
        throw malformed(source, "it holds a zero byte");
    }
    Builder builder(source, limits);
    Json::sax_parse(text.begin(), text.end(), &builder);
    return builder.take();
}

Json read_json_file(const std::filesystem::path& path, std::size_t max_bytes) {
    return parse_json(read_file(path, max_bytes), path.string());
}

void write_json_file(const std::filesystem::path& path, const Json& json) {
    write_file(path, json.dump(2) + "\n");
}

}  // namespace espalier
