#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace espalier {

/// What the name of a .gguf says: one file, or one of the parts `NAME-00001-of-00003.gguf`.
struct GgufParts {
    std::string stem;        ///< without the part's number
    std::int64_t count = 0;  ///< 0 = not split
    std::string extension;   ///< as it is written
    auto operator<=>(const GgufParts&) const = default;

    std::string first_name() const { return name(1); }
    /// Of all parts, in order.
    std::vector<std::string> names() const;

private:
    std::string name(std::int64_t number) const;
};

/// True for a model's file; the projectors of vision towers that lie beside one are none.
bool is_gguf_name(std::string_view name);

/// @param name one that is_gguf_name()
GgufParts gguf_parts(std::string_view name);

/// The file that another program is still loading: "x.gguf" for "x.gguf.part" or
/// "downloading_x.gguf.part". Nothing for any other name.
std::optional<std::string> unfinished_gguf(std::string_view name);

}  // namespace espalier
