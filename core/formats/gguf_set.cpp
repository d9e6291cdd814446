#include "formats/gguf_set.h"

#include <charconv>
#include <fmt/format.h>
#include <functional>
#include <string_view>
#include <system_error>

#include "base/error.h"
#include "formats/file_error.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kMaxParts = 99999;  // names have five digits

std::string part_suffix(std::int64_t index, std::int64_t count) {
    return fmt::format("-{:05}-of-{:05}.gguf", index + 1, count);
}

void check_part(const GgufFile& part, std::int64_t index, const GgufFile& first) {
    const fs::path& path = part.file().path();
    for (const auto* key : {"split.count", "split.tensors.count"}) {
        const std::int64_t expected = first.metadata().integer(key);
        const std::int64_t found = part.metadata().integer(key);
        if (found == expected) continue;
        throw malformed_file(path,
                             fmt::format("its {} is {}, the first part says {}: it belongs to "
                                         "another model",
                                         key, found, expected));
    }
    const std::int64_t number = part.metadata().integer("split.no");
    if (number != index) {
        throw malformed_file(path,
                             fmt::format("its split.no is {}, its name says {}", number, index));
    }
}

}  // namespace

std::vector<fs::path> split_gguf_files(const fs::path& path) {
    // The five digits of the count, before ".gguf"; those of the index before "-of-".
    const std::string name = path.filename().string();
    const std::size_t length = part_suffix(0, 1).size();
    std::int64_t count = 0;
    if (name.size() <= length) return {path};
    const char* digits = name.data() + name.size() - std::string_view("00001.gguf").size();
    const auto [end, error] = std::from_chars(digits, digits + 5, count);
    if (error != std::errc() || end != digits + 5 || count < 2) return {path};
    const std::string stem = name.substr(0, name.size() - length);
    std::vector<fs::path> parts;
    bool is_one = false;
    for (std::int64_t i = 0; i < count; ++i) {
        const std::string part = stem + part_suffix(i, count);
        is_one = is_one || part == name;
        std::error_code ignored;
        if (fs::exists(path.parent_path() / part, ignored)) {
            parts.push_back(path.parent_path() / part);
        }
    }
    if (!is_one || parts.empty()) return {path};
    return parts;
}

GgufSet::GgufSet(const fs::path& path) {
    files_.push_back(std::make_unique<GgufFile>(path));
    const std::int64_t count = metadata().integer_or("split.count", 1);
    if (count < 0 || count > kMaxParts) {
        throw malformed_file(path, fmt::format("its split.count is {}", count));
    }
    if (count > 1) add_parts(count);
    collect_tensors();
}

void GgufSet::add_parts(std::int64_t count) {
    const std::string first_name = path().filename().string();
    if (metadata().integer("split.no") != 0) {
        throw Error(ErrorCode::FileUnsupported,
                    fmt::format("{} is part {} of {} of a model.", first_name,
                                metadata().integer("split.no") + 1, count),
                    "Open the first part; the others are found beside it.");
    }
    const std::string suffix = part_suffix(0, count);
    if (!first_name.ends_with(suffix)) {
        throw Error(ErrorCode::FileUnsupported,
                    fmt::format("{} is the first of {} parts, but its name does not end in {}.",
                                first_name, count, suffix),
                    "Give the parts their original names.");
    }
    const std::string stem = first_name.substr(0, first_name.size() - suffix.size());
    for (std::int64_t i = 1; i < count; ++i) {
        const fs::path part = path().parent_path() / (stem + part_suffix(i, count));
        std::error_code ignored;
        if (!fs::exists(part, ignored)) {
            throw Error(ErrorCode::FileMissing,
                        fmt::format("{} is missing: {} is the first of {} parts.", part.string(),
                                    first_name, count),
                        "Finish the download of the model.");
        }
        files_.push_back(std::make_unique<GgufFile>(part));
        check_part(*files_.back(), i, first());
    }
}

void GgufSet::collect_tensors() {
    for (const auto& file : files_) {
        for (const auto& tensor : file->tensors()) {
            if (!index_.emplace(tensor.name, tensors_.size()).second) {
                throw malformed_file(
                    file->file().path(),
                    fmt::format("tensor {} stands in another part too", in_quotes(tensor.name)));
            }
            tensors_.push_back(tensor);
        }
    }
    if (files_.size() == 1) return;
    const std::int64_t expected = metadata().integer("split.tensors.count");
    if (static_cast<std::int64_t>(tensors_.size()) != expected) {
        throw malformed_file(path(), fmt::format("its split.tensors.count is {}, its parts hold {}",
                                                 expected, tensors_.size()));
    }
}

const TensorView* GgufSet::find(std::string_view name) const noexcept {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &tensors_[found->second].view;
}

void GgufSet::release(const TensorView& view) const noexcept {
    for (const auto& file : files_) {
        if (file->file().contains(view.bytes)) file->file().release(view.bytes);
    }
}

}  // namespace espalier
