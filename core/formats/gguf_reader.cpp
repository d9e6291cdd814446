#include "formats/gguf_reader.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <optional>
#include <utility>

#include "base/utf8.h"
#include "formats/file_error.h"
#include "formats/gguf_cursor.h"
#include "formats/gguf_layout.h"
#include "formats/gguf_value_io.h"

namespace espalier {
namespace {

struct TensorInfo {
    std::string name;
    DType dtype = DType::F32;
    Shape shape;
    std::uint64_t bytes = 0;
    std::uint64_t offset = 0;  ///< from the start of the data
};

void check_magic(GgufCursor& cursor) {
    const auto magic = cursor.take(kGgufMagic.size(), "the magic");
    const std::string_view text(reinterpret_cast<const char*>(magic.data()), magic.size());
    if (text == kGgufMagic) return;
    constexpr std::array<std::string_view, 4> kOld{"lmgg", "fmgg", "tjgg", "algg"};
    if (std::find(kOld.begin(), kOld.end(), text) != kOld.end()) {
        throw unsupported_file(cursor.path(), "its magic is of a format older than GGUF");
    }
    throw malformed_file(cursor.path(),
                         fmt::format("its magic is {}, not \"GGUF\"", in_quotes(text)));
}

std::uint32_t read_version(GgufCursor& cursor) {
    const auto version = cursor.number<std::uint32_t>("the version");
    if (version == 2 || version == kGgufVersion) return version;
    if (version != 0 && (version & 0xFFFFU) == 0) {
        throw unsupported_file(cursor.path(),
                               "its version is in the other byte order (big endian)");
    }
    throw unsupported_file(cursor.path(),
                           fmt::format("its version is {}, versions 2 and 3 are known", version));
}

/// The file must have room for `count` things of at least `least_bytes` each.
void check_count(const GgufCursor& cursor, std::uint64_t count, std::uint64_t least_bytes,
                 std::string_view field) {
    if (count <= cursor.remaining() / least_bytes) return;
    throw malformed_file(cursor.path(), fmt::format("{} is {}, more than its {} bytes can hold",
                                                    field, count, cursor.remaining()));
}

std::string read_name(GgufCursor& cursor, const std::string& field) {
    const std::string_view name = cursor.string(field);
    if (name.empty() || !is_valid_utf8(name)) {
        throw malformed_file(cursor.path(),
                             fmt::format("{} is {}", field, name.empty() ? "empty" : "not UTF-8"));
    }
    return std::string(name);
}

GgufMetadata read_metadata(GgufCursor& cursor, std::uint64_t count) {
    GgufMetadata metadata(cursor.path().filename().string());
    for (std::uint64_t i = 0; i < count; ++i) {
        std::string key = read_name(cursor, fmt::format("the name of key {} of {}", i + 1, count));
        if (metadata.find(key)) {
            throw malformed_file(cursor.path(),
                                 fmt::format("the key {} stands twice", in_quotes(key)));
        }
        GgufValue value = read_gguf_value(cursor, key);
        metadata.set(std::move(key), std::move(value));
    }
    return metadata;
}

Shape read_shape(GgufCursor& cursor, const std::string& tensor) {
    const auto num_dims = cursor.number<std::uint32_t>(tensor + ": n_dims");
    if (num_dims > kGgufMaxDims) {
        throw malformed_file(cursor.path(), fmt::format("{} has {} dimensions, at most {} may be",
                                                        tensor, num_dims, kGgufMaxDims));
    }
    Shape shape(num_dims);
    for (std::uint32_t i = 0; i < num_dims; ++i) {
        const auto dim = cursor.number<std::int64_t>(tensor + ": ne");
        if (dim < 0) {
            throw malformed_file(cursor.path(),
                                 fmt::format("{} has the negative dimension {}", tensor, dim));
        }
        shape[num_dims - 1 - i] = dim;  // the file lists the fastest first
    }
    return shape;
}

DType read_dtype(GgufCursor& cursor, const std::string& tensor) {
    const auto number = cursor.number<std::uint32_t>(tensor + ": type");
    const auto dtype = dtype_from_ggml(number);
    if (!dtype) {
        throw unsupported_file(cursor.path(),
                               fmt::format("{} has the unknown type {}", tensor, number));
    }
    return *dtype;
}

std::uint64_t size_of(const TensorInfo& tensor, const std::string& label,
                      const std::filesystem::path& path) {
    const std::int64_t row = tensor.shape.empty() ? 1 : tensor.shape.back();
    const auto block = static_cast<std::int64_t>(info(tensor.dtype).block_size);
    if (row % block != 0) {
        throw malformed_file(
            path, fmt::format("{} has rows of {} elements, {} needs a multiple of {}", label, row,
                              info(tensor.dtype).name, block));
    }
    const auto bytes = tensor_bytes(tensor.dtype, tensor.shape);
    if (!bytes) {
        throw malformed_file(
            path, fmt::format("{} has the impossible shape {}", label, shape_text(tensor.shape)));
    }
    return *bytes;
}

TensorInfo read_tensor_info(GgufCursor& cursor, std::uint64_t index, std::uint64_t count) {
    TensorInfo tensor;
    tensor.name = read_name(cursor, fmt::format("the name of tensor {} of {}", index + 1, count));
    const std::string label = fmt::format("tensor {}", in_quotes(tensor.name));
    if (tensor.name.size() > kGgufMaxNameBytes) {
        throw malformed_file(cursor.path(),
                             fmt::format("the name of {} has {} bytes, at most {} may be", label,
                                         tensor.name.size(), kGgufMaxNameBytes));
    }
    tensor.shape = read_shape(cursor, label);
    tensor.dtype = read_dtype(cursor, label);
    tensor.bytes = size_of(tensor, label, cursor.path());
    tensor.offset = cursor.number<std::uint64_t>(label + ": offset");
    return tensor;
}

/// Tensors must follow each other, each at the next multiple of the alignment.
void check_offsets(std::span<const TensorInfo> tensors, std::uint64_t alignment,
                   std::uint64_t data_bytes, const std::filesystem::path& path) {
    std::uint64_t expected = 0;
    for (const auto& tensor : tensors) {
        if (tensor.offset != expected) {
            throw malformed_file(path,
                                 fmt::format("tensor {} has the offset {}, expected was {}",
                                             in_quotes(tensor.name), tensor.offset, expected));
        }
        if (expected > data_bytes || tensor.bytes > data_bytes - expected) {
            throw truncated_file(
                path, fmt::format("the data of tensor {} needs {} bytes at {}, there are {}",
                                  in_quotes(tensor.name), tensor.bytes, expected, data_bytes));
        }
        // Cannot overflow: the sum lies inside the file, the alignment is a u32.
        expected = *align_up(expected + tensor.bytes, alignment);
    }
}

}  // namespace

GgufFile::GgufFile(const std::filesystem::path& path) : file_(path) {
    GgufCursor cursor(file_.bytes(), path);
    check_magic(cursor);
    version_ = read_version(cursor);
    const auto num_tensors = cursor.number<std::uint64_t>("the tensor count");
    const auto num_keys = cursor.number<std::uint64_t>("the key count");
    constexpr std::uint64_t kLeastKey = 8 + 4 + 1;         // name, type, value
    constexpr std::uint64_t kLeastTensor = 8 + 4 + 4 + 8;  // name, n_dims, type, offset
    check_count(cursor, num_keys, kLeastKey, "the key count");
    check_count(cursor, num_tensors, kLeastTensor, "the tensor count");

    metadata_ = read_metadata(cursor, num_keys);
    const auto alignment = gguf_alignment(metadata_);
    if (!alignment) {
        throw malformed_file(path,
                             fmt::format("{} is not a power of two as u32", kGgufAlignmentKey));
    }
    std::vector<TensorInfo> tensors;
    for (std::uint64_t i = 0; i < num_tensors; ++i) {
        tensors.push_back(read_tensor_info(cursor, i, num_tensors));
        if (!index_.emplace(tensors.back().name, i).second) {
            throw malformed_file(
                path, fmt::format("the tensor {} stands twice", in_quotes(tensors.back().name)));
        }
    }
    const auto start =
        std::min<std::uint64_t>(*align_up(cursor.position(), *alignment), file_.bytes().size());
    const auto data = file_.bytes().subspan(start);
    check_offsets(tensors, *alignment, data.size(), path);
    tensors_.reserve(tensors.size());
    for (auto& tensor : tensors) {
        const auto bytes = data.subspan(tensor.offset, tensor.bytes);
        tensors_.push_back(
            {std::move(tensor.name), {tensor.dtype, std::move(tensor.shape), bytes}});
    }
}

const TensorView* GgufFile::find(std::string_view name) const noexcept {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &tensors_[found->second].view;
}

}  // namespace espalier
