#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <span>
#include <string_view>

#include "formats/file_error.h"

namespace espalier {

/// Reads little-endian fields one after the other and never past the end. `field` names what is
/// read, for the error.
class GgufCursor {
public:
    GgufCursor(std::span<const std::byte> bytes, const std::filesystem::path& path)
        : bytes_(bytes), path_(path) {}

    std::uint64_t position() const noexcept { return position_; }
    std::uint64_t remaining() const noexcept { return bytes_.size() - position_; }
    const std::filesystem::path& path() const noexcept { return path_; }

    template <typename T>
    T number(std::string_view field) {
        T value;
        std::memcpy(&value, take(sizeof(T), field).data(), sizeof(T));
        return value;
    }

    /// u64 length, then the bytes; a view into the file.
    std::string_view string(std::string_view field) {
        const auto length = number<std::uint64_t>(field);
        const auto text = take(length, field);
        return {reinterpret_cast<const char*>(text.data()), text.size()};
    }

    /// @throws Error FileTruncated
    std::span<const std::byte> take(std::uint64_t count, std::string_view field) {
        if (count > remaining()) {
            throw truncated_file(
                path_, fmt::format("{} needs {} bytes, {} are left", field, count, remaining()));
        }
        const auto part = bytes_.subspan(position_, count);
        position_ += count;
        return part;
    }

private:
    std::span<const std::byte> bytes_;
    const std::filesystem::path& path_;
    std::size_t position_ = 0;
};

}  // namespace espalier
