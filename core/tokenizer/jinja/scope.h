#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "tokenizer/jinja/value.h"

namespace espalier::jinja {

/// Variables of a template, a loop's turn, a macro's call; what is not here is looked for outside.
class Scope {
public:
    explicit Scope(Scope* outer = nullptr) : outer_(outer) {}

    void set(const std::string& name, Value value) {
        variables_.insert_or_assign(name, std::move(value));
    }
    /// Null if it is nowhere.
    const Value* find(const std::string& name) const {
        for (const Scope* scope = this; scope != nullptr; scope = scope->outer_) {
            const auto found = scope->variables_.find(name);
            if (found != scope->variables_.end()) return &found->second;
        }
        return nullptr;
    }

    /// A macro was defined in here and may outlive the block: so must this and all around it.
    void capture() {
        for (Scope* scope = this; scope != nullptr; scope = scope->outer_)
            scope->is_captured_ = true;
    }
    bool is_captured() const noexcept { return is_captured_; }

private:
    Scope* outer_;
    std::unordered_map<std::string, Value> variables_;
    bool is_captured_ = false;
};

}  // namespace espalier::jinja
