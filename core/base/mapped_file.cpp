#include "base/mapped_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <functional>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

namespace espalier {
namespace {

struct FileDescriptor {
    explicit FileDescriptor(int value) : fd(value) {}
    ~FileDescriptor() {
        if (fd >= 0) ::close(fd);
    }
    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;
    int fd;
};

[[noreturn]] void throw_open_error(const std::filesystem::path& path, int error) {
    if (error == EACCES || error == EPERM) {
        throw Error(ErrorCode::FilePermission, fmt::format("{} may not be read.", path.string()),
                    "Change its permissions or choose another file.");
    }
    if (error == ENOENT || error == ENOTDIR) {
        throw Error(ErrorCode::FileMissing, fmt::format("{} does not exist.", path.string()),
                    "Check the path.");
    }
    throw Error(ErrorCode::FileMissing,
                fmt::format("{} cannot be opened: {}.", path.string(), std::strerror(error)),
                "Check the path.");
}

/// A touched byte may bring so much around it into the map, where the system caches files in large
/// folios.
constexpr std::size_t kMappedTogether = std::size_t{2} << 20;

/// Widens or narrows `part` to whole pages; `inward` for advice that drops data.
void advise(std::span<const std::byte> part, int advice, bool inward) noexcept {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    auto begin = reinterpret_cast<std::uintptr_t>(part.data());
    auto end = begin + part.size();
    begin = inward ? (begin + page - 1) / page * page : begin / page * page;
    if (inward) end = end / page * page;
    if (end > begin) ::madvise(reinterpret_cast<void*>(begin), end - begin, advice);
}

}  // namespace

void MappedFile::Unmap::operator()(const std::byte* data) const noexcept {
    ::munmap(const_cast<std::byte*>(data), size);
}

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path) {
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.fd < 0) throw_open_error(path, errno);
    struct stat status {};
    if (::fstat(file.fd, &status) != 0) throw_open_error(path, errno);
    if (!S_ISREG(status.st_mode)) {
        throw Error(ErrorCode::FileUnsupported, fmt::format("{} is not a file.", path.string()),
                    "Choose a file.");
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size == 0) return;
    void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
    if (data == MAP_FAILED) {
        throw Error(ErrorCode::FileUnsupported,
                    fmt::format("{} cannot be mapped: {}.", path.string(), std::strerror(errno)),
                    "Copy it to a local disk.");
    }
    data_ = {static_cast<const std::byte*>(data), Unmap{size}};
}

bool MappedFile::contains(std::span<const std::byte> part) const noexcept {
    const auto all = bytes();
    const std::less<> before;  // of pointers that need not lie in one array
    return !before(part.data(), all.data()) &&
           !before(all.data() + all.size(), part.data() + part.size());
}

void MappedFile::release(std::span<const std::byte> part) const noexcept {
    const auto all = bytes();
    const auto begin = static_cast<std::size_t>(part.data() - all.data());
    const std::size_t end = begin + part.size();
    const std::size_t from = begin - std::min(begin, kMappedTogether);
    const std::size_t to = end + std::min(all.size() - end, kMappedTogether);
    advise(all.subspan(from, to - from), MADV_DONTNEED, true);
}

void MappedFile::prefetch(std::span<const std::byte> part) const noexcept {
    advise(part, MADV_WILLNEED, false);
}

}  // namespace espalier
