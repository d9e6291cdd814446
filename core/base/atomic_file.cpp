#include "base/atomic_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <string>
#include <unistd.h>
#include <utility>

#include "base/error.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void throw_write_error(const fs::path& path, int error) {
    if (error == ENOSPC || error == EDQUOT) {
        throw Error(ErrorCode::DiskFull,
                    fmt::format("Not enough disk space: {} could not be written.", path.string()),
                    "Free some space or choose another folder.");
    }
    throw Error(ErrorCode::DiskWrite,
                fmt::format("{} could not be written: {}.", path.string(), std::strerror(error)),
                "Check that the folder exists and is writable.");
}

void sync_path(const fs::path& path, int flags) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
    if (fd < 0) throw_write_error(path, errno);
    const int failed = ::fsync(fd) != 0 ? errno : 0;
    ::close(fd);
    if (failed != 0) throw_write_error(path, failed);
}

fs::path parent_of(const fs::path& path) {
    return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

}  // namespace

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
    std::error_code ignored;  // open() reports what matters
    fs::create_directories(parent_of(path_), ignored);
    fd_ = ::open(partial_path().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd_ < 0) throw_write_error(path_, errno);
}

AtomicFile::~AtomicFile() {
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink(partial_path().c_str());
}

fs::path AtomicFile::partial_path() const { return path_.string() + ".partial"; }

void AtomicFile::write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(fd_, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw_write_error(path_, errno);
        bytes = bytes.subspan(static_cast<std::size_t>(count));
        written_ += static_cast<std::uint64_t>(count);
    }
}

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw_write_error(path_, errno);
        bytes = bytes.subspan(static_cast<std::size_t>(count));
        offset += static_cast<std::uint64_t>(count);
    }
}

void AtomicFile::commit() {
    if (::fsync(fd_) != 0) throw_write_error(path_, errno);
    const int fd = std::exchange(fd_, -1);
    if (::close(fd) != 0 || ::rename(partial_path().c_str(), path_.c_str()) != 0) {
        const int error = errno;
        ::unlink(partial_path().c_str());
        throw_write_error(path_, error);
    }
    sync_path(parent_of(path_), O_RDONLY | O_DIRECTORY);
}

void write_file(const fs::path& path, std::string_view text) {
    AtomicFile file(path);
    file.write(text);
    file.commit();
}

std::string read_file(const fs::path& path, std::size_t max_bytes) {
    std::error_code error;
    const auto size = fs::file_size(path, error);
    if (error || !fs::is_regular_file(path)) {
        throw Error(ErrorCode::FileMissing, fmt::format("{} cannot be read.", path.string()),
                    "Check that the file exists and is readable.");
    }
    if (size > max_bytes) {
        throw Error(ErrorCode::FileUnsupported,
                    fmt::format("{} has {} bytes, more than the {} that such a file may have.",
                                path.string(), size, max_bytes),
                    "Choose another file.");
    }
    std::ifstream file(path, std::ios::binary);
    std::string text(size, '\0');
    if (!file.read(text.data(), static_cast<std::streamsize>(size))) {
        throw Error(ErrorCode::FileMissing, fmt::format("{} cannot be read.", path.string()),
                    "Check that the file exists and is readable.");
    }
    return text;
}

void commit_folder(const fs::path& partial, const fs::path& final_path) {
    for (const auto& entry : fs::recursive_directory_iterator(partial)) {
        sync_path(entry.path(), entry.is_directory() ? O_RDONLY | O_DIRECTORY : O_RDONLY);
    }
    sync_path(partial, O_RDONLY | O_DIRECTORY);
    if (fs::exists(final_path)) {
        throw Error(ErrorCode::FileExists, fmt::format("{} exists already.", final_path.string()),
                    "Choose another name or delete it first.");
    }
    if (::rename(partial.c_str(), final_path.c_str()) != 0) throw_write_error(final_path, errno);
    sync_path(parent_of(final_path), O_RDONLY | O_DIRECTORY);
}

}  // namespace espalier
