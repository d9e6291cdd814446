#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace espalier {

/// Writes `path` + ".partial" and gives it the final name only on commit(), after fsync: a file
/// under its final name is complete. Without commit() the partial file is removed.
class AtomicFile {
public:
    /// Creates missing parent folders. @throws Error DiskWrite
    explicit AtomicFile(std::filesystem::path path);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    void write(std::span<const std::byte> bytes);
    void write(std::string_view text);
    /// Overwrites bytes already written, for headers that are known last.
    void write_at(std::uint64_t offset, std::span<const std::byte> bytes);
    std::uint64_t bytes_written() const noexcept { return written_; }
    /// The name until commit().
    std::filesystem::path partial_path() const;

    /// fsync, rename, fsync of the folder. @throws Error DiskFull or DiskWrite
    void commit();

private:
    std::filesystem::path path_;
    int fd_ = -1;
    std::uint64_t written_ = 0;
};

/// A small file in one call.
void write_file(const std::filesystem::path& path, std::string_view text);

/// A whole file as text. @throws Error FileMissing, or FileUnsupported above `max_bytes`
std::string read_file(const std::filesystem::path& path, std::size_t max_bytes = 1ULL << 30);

/// fsyncs every file in `partial`, then renames the folder to `final_path`, which must not exist.
void commit_folder(const std::filesystem::path& partial, const std::filesystem::path& final_path);

}  // namespace espalier
