#pragma once

#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/jinja/ast.h"
#include "tokenizer/jinja/scope.h"

namespace espalier::jinja {

/// Computes expressions, owns what they make, and counts the work: templates are not trusted.
class Evaluator {
public:
    /// @param now local time for strftime_now
    explicit Evaluator(const std::tm& now) : now_(now) {}

    Value evaluate(const Expression& expression, Scope& scope);
    /// A filter without input of its own works on `input`.
    Value evaluate_filter(const Expression& expression, const Value& input, Scope& scope);
    Arguments evaluate_arguments(const CallArguments& arguments, Scope& scope);

    /// x.name: a method or attribute first, then a key.
    Value attribute(const Value& value, std::string_view name);
    /// x[key]: a key or index first, then an attribute.
    Value item(const Value& value, const Value& key);
    Value call(const Value& callee, const Arguments& arguments);
    Value apply_filter(std::string_view name, const Value& input, const Arguments& arguments);
    bool apply_test(std::string_view name, const Value& input, const Arguments& arguments);

    /// Keeps an object for as long as this evaluator lives.
    template <typename T>
    T& own(std::unique_ptr<T> object) {
        charge(20);
        T& result = *object;
        objects_.push_back(std::move(object));
        return result;
    }
    void own(std::unique_ptr<Scope> scope) { scopes_.push_back(std::move(scope)); }

    /// @throws Fault Limit when all steps are used up
    void charge(std::size_t steps);

    /// While it lives, the stack is one level deeper. @throws Fault Limit
    class Depth {
    public:
        explicit Depth(Evaluator& evaluator);
        ~Depth() { --evaluator_.depth_; }
        Depth(const Depth&) = delete;
        Depth& operator=(const Depth&) = delete;

    private:
        Evaluator& evaluator_;
    };

    void set_position(Position position) noexcept { position_ = position; }
    /// Near the last thing that was done.
    Position position() const noexcept { return position_; }
    const std::tm& now() const noexcept { return now_; }

private:
    struct Visitor;

    std::tm now_;
    Position position_;
    std::size_t steps_ = 0;
    int depth_ = 0;
    std::vector<std::unique_ptr<Object>> objects_;
    std::vector<std::unique_ptr<Scope>> scopes_;
};

}  // namespace espalier::jinja
