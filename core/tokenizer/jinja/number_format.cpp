#include "tokenizer/jinja/number_format.h"

#include <cmath>
#include <fmt/format.h>

namespace espalier::jinja {
namespace {

constexpr int kMaxPrecision = 1000;

std::string with_thousands(const std::string& digits) {
    const std::size_t whole = digits.find_first_not_of("0123456789");
    std::string result;
    const std::size_t count = whole == std::string::npos ? digits.size() : whole;
    for (std::size_t i = 0; i < count; ++i) {
        if (i > 0 && (count - i) % 3 == 0) result += ',';
        result += digits[i];
    }
    return result + digits.substr(count);
}

std::string float_digits(double magnitude, const NumberFormat& format) {
    const int precision = format.precision.value_or(6);
    if (precision > kMaxPrecision) throw Fault(FaultKind::Limit, "a precision above 1000");
    switch (format.type) {
        case 'f':
            return fmt::format("{:.{}f}", magnitude, precision);
        case 'F':
            return fmt::format("{:.{}F}", magnitude, precision);
        case 'e':
            return fmt::format("{:.{}e}", magnitude, precision);
        case 'E':
            return fmt::format("{:.{}E}", magnitude, precision);
        case 'g':
            return fmt::format("{:.{}g}", magnitude, precision);
        case 'G':
            return fmt::format("{:.{}G}", magnitude, precision);
        default:
            return fmt::format("{:.{}f}%", magnitude * 100.0, precision);
    }
}

std::string integer_digits(std::uint64_t magnitude, const NumberFormat& format) {
    switch (format.type) {
        case 'x':
            return fmt::format("{}{:x}", format.is_alternate ? "0x" : "", magnitude);
        case 'X':
            return fmt::format("{}{:X}", format.is_alternate ? "0X" : "", magnitude);
        case 'o':
            return fmt::format("{}{:o}", format.is_alternate ? "0o" : "", magnitude);
        case 'b':
            return fmt::format("{}{:b}", format.is_alternate ? "0b" : "", magnitude);
        default:
            return fmt::to_string(magnitude);
    }
}

bool is_float_type(char type) {
    return std::string_view("fFeEgG%").find(type) != std::string_view::npos;
}

}  // namespace

std::string format_number(const Value& value, const NumberFormat& format) {
    std::string digits;
    bool is_negative = false;
    if (is_float_type(format.type)) {
        is_negative = std::signbit(*value.number());
        digits = float_digits(std::fabs(*value.number()), format);
    } else {
        const auto number = value.integer();
        if (!number) {
            throw Fault(FaultKind::Type, fmt::format("%{} format: an integer is required, not {}",
                                                     format.type, value.type_name()));
        }
        is_negative = *number < 0;
        const auto bits = static_cast<std::uint64_t>(*number);
        digits = integer_digits(is_negative ? 0 - bits : bits, format);
    }
    if (format.groups_thousands) digits = with_thousands(digits);
    const std::string sign = is_negative          ? "-"
                             : format.sign == '-' ? ""
                                                  : std::string(1, format.sign);
    const auto width = static_cast<std::size_t>(format.width);
    const std::size_t size = sign.size() + digits.size();
    if (format.pads_with_zeros && !format.is_left && size < width) {
        digits.insert(0, width - size, '0');
    }
    return sign + digits;
}

}  // namespace espalier::jinja
