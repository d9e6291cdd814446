#include "tokenizer/jinja/percent_format.h"

#include <cctype>
#include <cmath>
#include <fmt/format.h>

#include "tokenizer/jinja/number_format.h"
#include "tokenizer/jinja/repr.h"
#include "tokenizer/jinja/text.h"

namespace espalier::jinja {
namespace {

constexpr std::int64_t kMaxWidth = 100'000;

class PercentFormatter {
public:
    PercentFormatter(std::string_view format, const Value& values)
        : format_(format), values_(values) {
        const Sequence* sequence = values.list_or_tuple();
        if (sequence != nullptr && sequence->kind == Sequence::Kind::Tuple) tuple_ = sequence;
    }

    std::string run() {
        while (!format_.empty()) {
            const std::size_t percent = format_.find('%');
            out_ += format_.substr(0, percent);
            if (percent == std::string_view::npos) break;
            format_.remove_prefix(percent + 1);
            convert();
        }
        const std::size_t given = tuple_ != nullptr          ? tuple_->items.size()
                                  : values_.map() != nullptr ? used_
                                                             : 1;
        if (used_ < given) fail("not all arguments converted during string formatting");
        return std::move(out_);
    }

private:
    [[noreturn]] static void fail(const std::string& what) { throw Fault(FaultKind::Type, what); }

    char peek() const { return format_.empty() ? '\0' : format_.front(); }

    char take() {
        if (format_.empty()) fail("incomplete format");
        const char c = format_.front();
        format_.remove_prefix(1);
        return c;
    }

    Value next_value() {
        const std::size_t index = used_++;
        if (tuple_ != nullptr ? index < tuple_->items.size() : index == 0) {
            return tuple_ != nullptr ? tuple_->items[index] : values_;
        }
        fail("not enough arguments for format string");
    }

    Value named_value() {
        const std::size_t end = format_.find(')');
        if (values_.map() == nullptr || end == std::string_view::npos)
            fail("format requires a mapping");
        const Value* found = values_.map()->find(format_.substr(1, end - 1));
        if (found == nullptr) fail(fmt::format("no key {}", format_.substr(1, end - 1)));
        format_.remove_prefix(end + 1);
        return *found;
    }

    std::int64_t read_count() {
        if (peek() == '*') {
            take();
            const auto count = next_value().integer();
            if (!count || *count < 0 || *count > kMaxWidth) fail("* wants a small int");
            return *count;
        }
        std::int64_t count = 0;
        while (std::isdigit(static_cast<unsigned char>(peek())) != 0) {
            count = count * 10 + (take() - '0');
            if (count > kMaxWidth) throw Fault(FaultKind::Limit, "a width above 100000");
        }
        return count;
    }

    NumberFormat read_conversion() {
        NumberFormat conversion;
        for (;; take()) {
            if (peek() == '-')
                conversion.is_left = true;
            else if (peek() == '0')
                conversion.pads_with_zeros = true;
            else if (peek() == '#')
                conversion.is_alternate = true;
            else if (peek() == '+')
                conversion.sign = '+';
            else if (peek() == ' ')
                conversion.sign = conversion.sign == '+' ? '+' : ' ';
            else
                break;
        }
        conversion.width = read_count();
        if (peek() == '.') {
            take();
            conversion.precision = static_cast<int>(read_count());
        }
        while (peek() == 'l' || peek() == 'h' || peek() == 'L') take();
        conversion.type = take();
        return conversion;
    }

    static std::string convert_value(const Value& value, NumberFormat conversion) {
        switch (conversion.type) {
            case 's':
            case 'r':
            case 'a': {
                const std::string text = conversion.type == 's' ? to_text(value) : repr(value);
                return std::string(
                    conversion.precision ? first_characters(text, *conversion.precision) : text);
            }
            case 'c':
                if (value.text() != nullptr) return *value.text();
                fail("%c requires a character");
            case 'd':
            case 'i':
            case 'u':
                conversion.type = 'd';
                if (const double* number = value.floating()) {
                    if (!(std::abs(*number) < 9e18)) fail("cannot convert float to integer");
                    return format_number(static_cast<std::int64_t>(*number), conversion);
                }
                [[fallthrough]];
            case 'x':
            case 'X':
            case 'o':
            case 'f':
            case 'F':
            case 'e':
            case 'E':
            case 'g':
            case 'G':
                if (!value.is_number()) {
                    fail(fmt::format("%{} format: a real number is required, not {}",
                                     conversion.type, value.type_name()));
                }
                return format_number(value, conversion);
            default:
                fail(fmt::format("unsupported format character '{}'", conversion.type));
        }
    }

    void convert() {
        std::optional<Value> named;
        if (peek() == '(') named = named_value();
        const NumberFormat conversion = read_conversion();
        if (conversion.type == '%') {
            out_ += '%';
            return;
        }
        const std::string text = convert_value(named ? *named : next_value(), conversion);
        out_ +=
            pad(text, conversion.width, conversion.is_left ? Alignment::Left : Alignment::Right);
        if (out_.size() > (64U << 20U)) throw Fault(FaultKind::Limit, "a text grew too large");
    }

    std::string_view format_;
    const Value& values_;
    const Sequence* tuple_ = nullptr;
    std::size_t used_ = 0;
    std::string out_;
};

}  // namespace

std::string percent_format(std::string_view format, const Value& values) {
    return PercentFormatter(format, values).run();
}

}  // namespace espalier::jinja
