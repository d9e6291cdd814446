#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/jinja/value.h"

namespace espalier::jinja {

/// The variable `loop` of a running {% for %}.
class Loop : public Object {
public:
    /// @param recurse renders the loop again over other items, one deeper; empty if it is not
    /// recursive
    Loop(std::vector<Value> items, int depth, std::function<std::string(const Value&)> recurse);

    std::size_t size() const noexcept { return items_.size(); }
    const Value& item(std::size_t index) const { return items_[index]; }
    void move_to(std::size_t index) noexcept { index_ = index; }
    /// A loop that is over keeps its numbers, not its items.
    void finish();

    std::string type_name() const override { return "LoopContext"; }
    std::optional<Value> attribute(std::string_view name) const override;
    bool is_callable() const override { return true; }
    Value call(Evaluator& evaluator, const Arguments& arguments) override;

private:
    /// loop.cycle and loop.changed.
    class Method : public Object {
    public:
        using Function = Value (Loop::*)(const Arguments&);
        Method(Loop& loop, Function function) : loop_(loop), function_(function) {}
        std::string type_name() const override { return "method"; }
        bool is_callable() const override { return true; }
        Value call(Evaluator&, const Arguments& arguments) override {
            return (loop_.*function_)(arguments);
        }

    private:
        Loop& loop_;
        Function function_;
    };
    Value cycle(const Arguments& arguments);
    Value changed(const Arguments& arguments);
    Value neighbour(std::ptrdiff_t distance) const;

    std::vector<Value> items_;
    std::size_t size_;
    std::size_t index_ = 0;
    int depth_;
    std::function<std::string(const Value&)> recurse_;
    std::vector<Value> last_;
    bool has_last_ = false;
    mutable Method cycle_{*this, &Loop::cycle};
    mutable Method changed_{*this, &Loop::changed};
};

}  // namespace espalier::jinja
