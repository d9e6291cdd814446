#pragma once

#include <memory>
#include <vector>

struct USet;

namespace espalier {

struct CodePointRange {
    char32_t first;
    char32_t last;  ///< inclusive
    bool operator==(const CodePointRange&) const = default;
};

/// A set of code points with the algebra that character classes need.
class CodePoints {
public:
    CodePoints();
    explicit CodePoints(char32_t only);
    CodePoints(std::initializer_list<CodePointRange> ranges);
    CodePoints(const CodePoints& other);
    CodePoints& operator=(const CodePoints& other);
    CodePoints(CodePoints&&) noexcept = default;
    CodePoints& operator=(CodePoints&&) noexcept = default;
    ~CodePoints() = default;

    void add(CodePointRange range);
    void add(const CodePoints& other);
    void retain(const CodePoints& other);
    void complement();
    /// Adds what Unicode case folding takes for the same character, one for one.
    void close_over_case();

    bool contains(char32_t code_point) const noexcept;
    /// Ascending, apart from one another.
    std::vector<CodePointRange> ranges() const;
    bool operator==(const CodePoints& other) const noexcept;

private:
    struct Close {
        void operator()(USet* set) const noexcept;
    };
    std::unique_ptr<USet, Close> set_;
};

}  // namespace espalier
