#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "tensor/dtype.h"

namespace espalier {

struct HiddenStatesLayout {
    std::int64_t rows = 0;     ///< tokens
    std::int64_t columns = 0;  ///< hidden
    DType dtype = DType::F32;  ///< F32 or BF16 (rounded to nearest even)

    std::uint64_t bytes() const noexcept;
};

/// The residual stream of all tokens between two layers, as bare rows in a file. The file is both
/// the checkpoint and the working copy: the system keeps as much of it in memory as is free, and
/// none of it counts as the program's own. read() and write() may run on several threads, on
/// different rows.
class HiddenStatesFile {
public:
    /// A new file, `path` + ".partial" until commit(). Its space is reserved at once.
    /// @throws Error DiskFull, DiskWrite
    static HiddenStatesFile create(const std::filesystem::path& path,
                                   const HiddenStatesLayout& layout);
    /// @throws Error FileMissing, FileTruncated
    static HiddenStatesFile open(const std::filesystem::path& path,
                                 const HiddenStatesLayout& layout);

    ~HiddenStatesFile();
    HiddenStatesFile(HiddenStatesFile&& other) noexcept;
    HiddenStatesFile(const HiddenStatesFile&) = delete;
    HiddenStatesFile& operator=(const HiddenStatesFile&) = delete;

    /// @param out whole rows from `first_row` on
    void read(std::int64_t first_row, std::span<float> out) const;
    void write(std::int64_t first_row, std::span<const float> rows);

    /// fsync, then the final name.
    void commit();

private:
    HiddenStatesFile(std::filesystem::path path, const HiddenStatesLayout& layout, int fd);
    std::size_t row_bytes() const noexcept;

    std::filesystem::path path_;
    HiddenStatesLayout layout_;
    int fd_ = -1;
};

}  // namespace espalier
