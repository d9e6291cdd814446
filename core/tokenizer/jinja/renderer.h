#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tokenizer/jinja/ast.h"
#include "tokenizer/jinja/evaluator.h"

namespace espalier::jinja {

/// Bytes [begin, end) of the output that a {% generation %} block wrote.
struct OutputSpan {
    std::size_t begin;
    std::size_t end;
};

/// Runs the statements of a template.
class Renderer {
public:
    explicit Renderer(Evaluator& evaluator) : evaluator_(evaluator) {}

    /// The whole output.
    std::string render(const Block& block, Scope& variables);
    /// Of the last render(); blocks inside macros and captured text are left out.
    const std::vector<OutputSpan>& generation_spans() const noexcept { return spans_; }

private:
    class LocalScope;
    enum class Flow { Normal, Break, Continue };
    struct Visitor;

    Flow run(const Block& block, Scope& scope, std::string& out);
    /// In a scope and output of its own.
    std::string capture(const Block& block, Scope& scope);
    Flow run_for(const For& loop, const Value& iterable, Scope& scope, std::string& out, int depth);
    std::vector<Value> kept_items(const For& loop, const Value& iterable, Scope& scope);
    void assign(const Target& target, Value value, Scope& scope);
    void append(std::string& out, const std::string& text);
    Value make_macro(std::string name, const Signature& signature, const Block& body, Scope& scope);

    Evaluator& evaluator_;
    const std::string* main_output_ = nullptr;
    std::vector<OutputSpan> spans_;
};

}  // namespace espalier::jinja
