#include "tokenizer/jinja/globals.h"

#include <array>
#include <fmt/format.h>
#include <memory>
#include <utility>

#include "tokenizer/jinja/bound_arguments.h"
#include "tokenizer/jinja/operators.h"
#include "tokenizer/jinja/repr.h"

namespace espalier::jinja {
namespace {

constexpr std::int64_t kMaxRange = 100'000;  // as in Jinja2's sandbox

constexpr std::array kDays{"Sunday",   "Monday", "Tuesday", "Wednesday",
                           "Thursday", "Friday", "Saturday"};
constexpr std::array kMonths{"January", "February", "March",     "April",   "May",      "June",
                             "July",    "August",   "September", "October", "November", "December"};

using Function = Value (*)(Evaluator&, const Arguments&);

class BuiltinFunction : public Object {
public:
    explicit BuiltinFunction(Function function) : function_(function) {}
    std::string type_name() const override { return "function"; }
    bool is_callable() const override { return true; }
    Value call(Evaluator& evaluator, const Arguments& arguments) override {
        return function_(evaluator, arguments);
    }

private:
    Function function_;
};

Value range_function(Evaluator&, const Arguments& arguments) {
    const BoundArguments bound("range", arguments, {"start", "stop", "step"}, 1);
    const bool has_start = bound.find(1) != nullptr;
    const Range range{has_start ? bound.integer(0, 0) : 0, bound.integer(has_start ? 1 : 0, 0),
                      bound.integer(2, 1)};
    const auto is_far = [](std::int64_t x) { return x < -(1LL << 60) || x > (1LL << 60); };
    if (range.step == 0) throw Fault(FaultKind::Type, "range() arg 3 must not be zero");
    if (is_far(range.start) || is_far(range.stop) || is_far(range.step) ||
        range.size() > kMaxRange) {
        throw Fault(
            FaultKind::Type,
            fmt::format("Range too big. The sandbox blocks ranges larger than {}.", kMaxRange));
    }
    return range;
}

/// The entries of dict(…) and namespace(…): a map, or pairs, and keywords.
Map entries_of(const Arguments& arguments) {
    if (arguments.positional.size() > 1) {
        throw Fault(FaultKind::Type, "dict expected at most 1 argument");
    }
    Map map;
    for (const Value& source : arguments.positional) {
        if (source.map() != nullptr) {
            map = *source.map();
            continue;
        }
        for (const Value& pair : iterate(source)) {
            std::vector<Value> both = iterate(pair);
            if (both.size() != 2) throw Fault(FaultKind::Type, "dict() wants pairs");
            map.set(std::move(both[0]), std::move(both[1]));
        }
    }
    for (const auto& [name, value] : arguments.named) map.set(name, value);
    return map;
}

Value dict_function(Evaluator&, const Arguments& arguments) { return entries_of(arguments); }

Value namespace_function(Evaluator& evaluator, const Arguments& arguments) {
    auto& result = evaluator.own(std::make_unique<Namespace>());
    for (const auto& [name, value] : entries_of(arguments).entries)
        result.set(to_text(name), value);
    return result;
}

Value raise_function(Evaluator&, const Arguments& arguments) {
    const BoundArguments bound("raise_exception", arguments, {"message"}, 1);
    throw Fault(FaultKind::Raised, bound.text(0, "None"));
}

Value time_function(Evaluator& evaluator, const Arguments& arguments) {
    const BoundArguments bound("strftime_now", arguments, {"format"}, 1);
    return format_time(evaluator.now(), bound.string(0, ""));
}

std::string time_field(const std::tm& time, char field) {
    const auto day = static_cast<std::size_t>(time.tm_wday) % kDays.size();
    const auto month = static_cast<std::size_t>(time.tm_mon) % kMonths.size();
    switch (field) {
        case 'Y':
            return fmt::format("{:04d}", time.tm_year + 1900);
        case 'y':
            return fmt::format("{:02d}", time.tm_year % 100);
        case 'm':
            return fmt::format("{:02d}", time.tm_mon + 1);
        case 'd':
            return fmt::format("{:02d}", time.tm_mday);
        case 'j':
            return fmt::format("{:03d}", time.tm_yday + 1);
        case 'H':
            return fmt::format("{:02d}", time.tm_hour);
        case 'I':
            return fmt::format("{:02d}", time.tm_hour % 12 == 0 ? 12 : time.tm_hour % 12);
        case 'M':
            return fmt::format("{:02d}", time.tm_min);
        case 'S':
            return fmt::format("{:02d}", time.tm_sec);
        case 'p':
            return time.tm_hour < 12 ? "AM" : "PM";
        case 'A':
            return kDays[day];
        case 'a':
            return std::string(kDays[day]).substr(0, 3);
        case 'B':
            return kMonths[month];
        case 'b':
            return std::string(kMonths[month]).substr(0, 3);
        case '%':
            return "%";
        default:
            throw Fault(FaultKind::Type, fmt::format("strftime_now does not know %{}", field));
    }
}

}  // namespace

std::optional<Value> Namespace::attribute(std::string_view name) const {
    const auto found = values_.find(std::string(name));
    if (found == values_.end()) return std::nullopt;
    return found->second;
}

void Namespace::set(const std::string& name, Value value) {
    values_.insert_or_assign(name, std::move(value));
}

std::string format_time(const std::tm& time, std::string_view format) {
    std::string result;
    for (std::size_t i = 0; i < format.size(); ++i) {
        if (format[i] != '%' || i + 1 == format.size()) {
            result += format[i];
            continue;
        }
        ++i;
        if (format[i] == '-' && i + 1 < format.size()) {  // without padding, as glibc does
            std::string field = time_field(time, format[++i]);
            const std::size_t first = field.find_first_not_of('0');
            result += first == std::string::npos ? "0" : field.substr(first);
        } else {
            result += time_field(time, format[i]);
        }
    }
    return result;
}

void define_globals(Evaluator& evaluator, Scope& scope) {
    static constexpr std::pair<const char*, Function> kFunctions[] = {
        {"range", range_function},         {"dict", dict_function},
        {"namespace", namespace_function}, {"raise_exception", raise_function},
        {"strftime_now", time_function},
    };
    for (const auto& [name, function] : kFunctions) {
        scope.set(name, evaluator.own(std::make_unique<BuiltinFunction>(function)));
    }
}

}  // namespace espalier::jinja
