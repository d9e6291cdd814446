#include "formats/safetensors_reader.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <utility>

#include "formats/file_error.h"
#include "formats/safetensors_header.h"

namespace espalier {
namespace {

constexpr std::size_t kPrefixBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;

std::string_view header_text(const MappedFile& file) {
    const auto bytes = file.bytes();
    if (bytes.size() < kPrefixBytes) {
        throw truncated_file(file.path(),
                             fmt::format("it has {} bytes, the length of its header alone takes {}",
                                         bytes.size(), kPrefixBytes));
    }
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), kPrefixBytes);
    if (length > kMaxHeaderBytes) {
        throw malformed_file(
            file.path(),
            fmt::format("its header claims {} bytes, at most {} may be", length, kMaxHeaderBytes));
    }
    if (length > bytes.size() - kPrefixBytes) {
        throw truncated_file(file.path(), fmt::format("its header needs {} bytes, {} are left",
                                                      length, bytes.size() - kPrefixBytes));
    }
    return {reinterpret_cast<const char*>(bytes.data()) + kPrefixBytes,
            static_cast<std::size_t>(length)};
}

void check_size(const SafetensorsEntry& entry, const std::filesystem::path& path) {
    if (entry.begin > entry.end) {
        throw malformed_file(path, fmt::format("data_offsets of tensor {} run backwards, {} to {}",
                                               in_quotes(entry.name), entry.begin, entry.end));
    }
    const auto needed = tensor_bytes(entry.dtype, entry.shape);
    if (!needed) {
        throw malformed_file(path,
                             fmt::format("the shape {} of tensor {} needs more than 2^64 bytes",
                                         shape_text(entry.shape), in_quotes(entry.name)));
    }
    if (*needed != entry.end - entry.begin) {
        throw malformed_file(
            path,
            fmt::format("the shape {} of tensor {} needs {} bytes as {}, data_offsets give {}",
                        shape_text(entry.shape), in_quotes(entry.name), *needed,
                        info(entry.dtype).name, entry.end - entry.begin));
    }
}

/// The ranges must follow each other from 0 to the end of the data, without holes or overlaps.
void check_ranges(std::span<const SafetensorsEntry> sorted, std::uint64_t data_bytes,
                  const std::filesystem::path& path) {
    std::uint64_t expected = 0;
    for (const auto& entry : sorted) {
        check_size(entry, path);
        if (entry.begin != expected) {
            throw malformed_file(path,
                                 fmt::format("data_offsets of tensor {} begin at {}, the data "
                                             "before it ends at {}",
                                             in_quotes(entry.name), entry.begin, expected));
        }
        expected = entry.end;
    }
    if (expected > data_bytes) {
        throw truncated_file(
            path, fmt::format("its data_offsets need {} bytes of data, {} are there", expected,
                              data_bytes));
    }
    if (expected < data_bytes) {
        throw malformed_file(path,
                             fmt::format("{} bytes of data follow the last of its data_offsets",
                                         data_bytes - expected));
    }
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : file_(path) {
    const std::string_view text = header_text(file_);
    SafetensorsHeader header = parse_safetensors_header(text, path);
    auto& entries = header.entries;
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
        return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    const auto data = file_.bytes().subspan(kPrefixBytes + text.size());
    check_ranges(entries, data.size(), path);

    metadata_ = std::move(header.metadata);
    tensors_.reserve(entries.size());
    for (auto& entry : entries) {
        index_.emplace(entry.name, tensors_.size());
        const auto bytes = data.subspan(entry.begin, entry.end - entry.begin);
        tensors_.push_back({std::move(entry.name), {entry.dtype, std::move(entry.shape), bytes}});
    }
}

const TensorView* SafetensorsFile::find(std::string_view name) const noexcept {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &tensors_[found->second].view;
}

}  // namespace espalier
