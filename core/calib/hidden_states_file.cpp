#include "calib/hidden_states_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/error.h"
#include "tensor/float_formats.h"

namespace espalier {
namespace {

namespace fs = std::filesystem;

fs::path partial_of(const fs::path& path) { return path.string() + ".partial"; }

[[noreturn]] void throw_disk(const fs::path& path, const char* doing, int error) {
    const bool is_full = error == ENOSPC || error == EDQUOT;
    throw Error(is_full ? ErrorCode::DiskFull : ErrorCode::DiskWrite,
                fmt::format("{} {} failed: {}.", doing, path.string(), std::strerror(error)),
                is_full ? "Free some space; calibration goes on after the last finished layer."
                        : "Check that the folder can be written.");
}

/// All of `bytes`, however the system cuts the call.
void write_all(int fd, std::span<const std::byte> bytes, std::uint64_t offset,
               const fs::path& path) {
    while (!bytes.empty()) {
        const ssize_t done = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) throw_disk(path, "Writing", done < 0 ? errno : ENOSPC);
        bytes = bytes.subspan(static_cast<std::size_t>(done));
        offset += static_cast<std::uint64_t>(done);
    }
}

void read_all(int fd, std::span<std::byte> bytes, std::uint64_t offset, const fs::path& path) {
    while (!bytes.empty()) {
        const ssize_t done = ::pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) throw_disk(path, "Reading", done < 0 ? errno : EIO);
        bytes = bytes.subspan(static_cast<std::size_t>(done));
        offset += static_cast<std::uint64_t>(done);
    }
}

}  // namespace

std::uint64_t HiddenStatesLayout::bytes() const noexcept {
    return static_cast<std::uint64_t>(rows) * static_cast<std::uint64_t>(columns) *
           info(dtype).block_bytes;
}

HiddenStatesFile::HiddenStatesFile(fs::path path, const HiddenStatesLayout& layout, int fd)
    : path_(std::move(path)), layout_(layout), fd_(fd) {}

HiddenStatesFile::HiddenStatesFile(HiddenStatesFile&& other) noexcept
    : path_(std::move(other.path_)), layout_(other.layout_), fd_(std::exchange(other.fd_, -1)) {}

HiddenStatesFile::~HiddenStatesFile() {
    if (fd_ >= 0) ::close(fd_);
}

HiddenStatesFile HiddenStatesFile::create(const fs::path& path, const HiddenStatesLayout& layout) {
    const fs::path partial = partial_of(path);
    const int fd = ::open(partial.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) throw_disk(partial, "Creating", errno);
    HiddenStatesFile file(path, layout, fd);
    const int error = ::posix_fallocate(fd, 0, static_cast<off_t>(layout.bytes()));
    if (error != 0) throw_disk(partial, "Reserving space for", error);
    return file;
}

HiddenStatesFile HiddenStatesFile::open(const fs::path& path, const HiddenStatesLayout& layout) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        throw Error(ErrorCode::FileMissing, fmt::format("{} cannot be read.", path.string()),
                    "Remove the checkpoint folder and start again.");
    }
    HiddenStatesFile file(path, layout, fd);
    struct stat status {};
    if (::fstat(fd, &status) != 0 || static_cast<std::uint64_t>(status.st_size) != layout.bytes()) {
        throw Error(ErrorCode::FileTruncated,
                    fmt::format("{} has {} bytes, {} were expected.", path.string(), status.st_size,
                                layout.bytes()),
                    "Remove the checkpoint folder and start again.");
    }
    return file;
}

std::size_t HiddenStatesFile::row_bytes() const noexcept {
    return static_cast<std::size_t>(layout_.columns) * info(layout_.dtype).block_bytes;
}

void HiddenStatesFile::read(std::int64_t first_row, std::span<float> out) const {
    const std::uint64_t offset = static_cast<std::uint64_t>(first_row) * row_bytes();
    if (layout_.dtype == DType::F32) {
        read_all(fd_, std::as_writable_bytes(out), offset, path_);
        return;
    }
    std::vector<std::uint16_t> bits(out.size());
    read_all(fd_, std::as_writable_bytes(std::span(bits)), offset, path_);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = bf16_to_float(bits[i]);
}

void HiddenStatesFile::write(std::int64_t first_row, std::span<const float> rows) {
    const std::uint64_t offset = static_cast<std::uint64_t>(first_row) * row_bytes();
    if (layout_.dtype == DType::F32) {
        write_all(fd_, std::as_bytes(rows), offset, path_);
        return;
    }
    std::vector<std::uint16_t> bits(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) bits[i] = float_to_bf16(rows[i]);
    write_all(fd_, std::as_bytes(std::span(bits)), offset, path_);
}

void HiddenStatesFile::commit() {
    if (::fsync(fd_) != 0) throw_disk(path_, "Writing", errno);
    std::error_code error;
    fs::rename(partial_of(path_), path_, error);
    if (error) throw_disk(path_, "Renaming", error.value());
}

}  // namespace espalier
