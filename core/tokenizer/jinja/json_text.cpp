#include "tokenizer/jinja/json_text.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <vector>

#include "tokenizer/jinja/operators.h"
#include "tokenizer/jinja/repr.h"
#include "tokenizer/utf8_cursor.h"

namespace espalier::jinja {
namespace {

constexpr std::size_t kMaxBytes = 64U << 20U;

class JsonWriter {
public:
    explicit JsonWriter(const JsonTextOptions& options) : options_(options) {}

    void write(const Value& value, int level) {
        if (out_.size() > kMaxBytes) throw Fault(FaultKind::Limit, "a text grew too large");
        if (value.is_none()) {
            out_ += "null";
        } else if (const bool* flag = value.boolean()) {
            out_ += *flag ? "true" : "false";
        } else if (value.is_number()) {
            out_ += number_text(value);
        } else if (const std::string* text = value.text()) {
            write_text(*text);
        } else if (const Sequence* list = value.list_or_tuple()) {
            write_list(*list, level);
        } else if (const Map* map = value.map()) {
            write_map(*map, level);
        } else {
            throw Fault(FaultKind::Type, fmt::format("Object of type {} is not JSON serializable",
                                                     value.type_name()));
        }
    }

    std::string take() { return std::move(out_); }

private:
    static std::string number_text(const Value& value) {
        const double* number = value.floating();
        if (number == nullptr || std::isfinite(*number)) return to_text(value);
        return std::isnan(*number) ? "NaN" : *number < 0 ? "-Infinity" : "Infinity";
    }

    void write_escape(char32_t unit) {
        out_ += fmt::format("\\u{:04x}", static_cast<unsigned>(unit));
    }

    void write_character(char32_t c) {
        static constexpr std::string_view kShort = "\"\\\n\r\t\b\f";
        static constexpr std::string_view kLetters = "\"\\nrtbf";
        const std::size_t found = c < 0x80 ? kShort.find(static_cast<char>(c)) : kShort.npos;
        if (found != kShort.npos) {
            out_ += '\\';
            out_ += kLetters[found];
        } else if (c < 0x20 || (options_.escapes_non_ascii && c >= 0x7F && c < 0x10000)) {
            write_escape(c);
        } else if (options_.escapes_non_ascii && c >= 0x10000) {
            write_escape(0xD800 + ((c - 0x10000) >> 10U));
            write_escape(0xDC00 + ((c - 0x10000) & 0x3FFU));
        } else {
            append_utf8(out_, c);
        }
    }

    void write_text(std::string_view text) {
        out_ += '"';
        for (std::size_t i = 0; i < text.size();) write_character(next_code_point(text, i));
        out_ += '"';
    }

    void break_line(int level) {
        if (!options_.indent) return;
        out_ += '\n';
        for (int i = 0; i < level; ++i) out_ += *options_.indent;
    }

    void write_list(const Sequence& list, int level) {
        out_ += '[';
        for (std::size_t i = 0; i < list.items.size(); ++i) {
            if (i > 0) out_ += options_.item_separator;
            break_line(level + 1);
            write(list.items[i], level + 1);
        }
        if (!list.items.empty()) break_line(level);
        out_ += ']';
    }

    static std::string key_text(const Value& key) {
        if (const std::string* text = key.text()) return *text;
        if (key.is_none()) return "null";
        if (const bool* flag = key.boolean()) return *flag ? "true" : "false";
        if (key.is_number()) return number_text(key);
        throw Fault(
            FaultKind::Type,
            fmt::format("keys must be str, int, float, bool or None, not {}", key.type_name()));
    }

    void write_map(const Map& map, int level) {
        std::vector<const std::pair<Value, Value>*> entries;
        for (const auto& entry : map.entries) entries.push_back(&entry);
        if (options_.sorts_keys) {
            std::stable_sort(entries.begin(), entries.end(),
                             [](const auto* a, const auto* b) { return less(a->first, b->first); });
        }
        out_ += '{';
        for (std::size_t i = 0; i < entries.size(); ++i) {
            if (i > 0) out_ += options_.item_separator;
            break_line(level + 1);
            write_text(key_text(entries[i]->first));
            out_ += options_.key_separator;
            write(entries[i]->second, level + 1);
        }
        if (!entries.empty()) break_line(level);
        out_ += '}';
    }

    const JsonTextOptions& options_;
    std::string out_;
};

}  // namespace

std::string json_text(const Value& value, const JsonTextOptions& options) {
    JsonWriter writer(options);
    writer.write(value, 0);
    return writer.take();
}

}  // namespace espalier::jinja
