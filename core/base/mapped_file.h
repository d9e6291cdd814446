#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

namespace espalier {

/// A file mapped read-only. Spans taken from bytes() are valid while this object lives.
class MappedFile {
public:
    /// @throws Error FileMissing, FilePermission or FileUnsupported (a folder, a device).
    explicit MappedFile(const std::filesystem::path& path);

    std::span<const std::byte> bytes() const noexcept {
        return {data_.get(), data_ ? data_.get_deleter().size : 0};
    }
    const std::filesystem::path& path() const noexcept { return path_; }

    /// True if `part` is a span of bytes().
    bool contains(std::span<const std::byte> part) const noexcept;
    /// Gives the pages of `part`, a span of bytes(), back to the system, and what it may have
    /// mapped around them; they are read again on use.
    void release(std::span<const std::byte> part) const noexcept;
    /// Asks for read-ahead of `part`.
    void prefetch(std::span<const std::byte> part) const noexcept;

private:
    struct Unmap {
        std::size_t size;
        void operator()(const std::byte* data) const noexcept;
    };
    std::filesystem::path path_;
    std::unique_ptr<const std::byte, Unmap> data_;
};

}  // namespace espalier
