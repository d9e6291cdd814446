#include "formats/gguf_writer.h"

#include <fmt/format.h>
#include <string>
#include <utility>

#include "base/error.h"
#include "formats/file_error.h"
#include "formats/gguf_layout.h"
#include "formats/gguf_value_io.h"

namespace espalier {
namespace {

Error inexpressible(const TensorSpec& spec, std::string_view what) {
    return {ErrorCode::GgufInexpressible,
            fmt::format("Tensor {} {}, which GGUF cannot hold.", in_quotes(spec.name), what),
            "Export as a hub folder instead."};
}

void append_tensor(std::string& out, const TensorSpec& spec, std::uint64_t offset) {
    if (spec.name.size() > kGgufMaxNameBytes) {
        throw inexpressible(spec, fmt::format("has a name of {} bytes", spec.name.size()));
    }
    if (spec.shape.size() > kGgufMaxDims) {
        throw inexpressible(spec, fmt::format("has {} dimensions", spec.shape.size()));
    }
    if (!info(spec.dtype).ggml_type) {
        throw inexpressible(spec, fmt::format("is {}", info(spec.dtype).name));
    }
    append_gguf_string(out, spec.name);
    const Shape shape = spec.shape.empty() ? Shape{1} : spec.shape;  // readers expect one dimension
    append_number(out, static_cast<std::uint32_t>(shape.size()));
    for (auto dim = shape.rbegin(); dim != shape.rend(); ++dim) append_number(out, *dim);
    append_number(out, *info(spec.dtype).ggml_type);
    append_number(out, offset);
}

std::string header_bytes(const GgufMetadata& metadata, std::span<const TensorSpec> specs,
                         std::uint64_t alignment) {
    std::string out(kGgufMagic);
    append_number(out, kGgufVersion);
    append_number<std::uint64_t>(out, specs.size());
    std::string keys;
    std::uint64_t num_keys = 0;
    for (const auto& [key, value] : metadata.entries()) {
        if (key.starts_with("split.")) continue;
        append_gguf_string(keys, key);
        append_gguf_value(keys, value);
        ++num_keys;
    }
    append_number(out, num_keys);
    out += keys;
    std::uint64_t offset = 0;
    for (const auto& spec : specs) {
        append_tensor(out, spec, offset);
        const auto end = checked_add(offset, *tensor_bytes(spec.dtype, spec.shape));
        const auto next = end ? align_up(*end, alignment) : std::nullopt;
        if (!next) throw inexpressible(spec, "ends past 2^64 bytes");
        offset = *next;
    }
    return out;
}

std::uint64_t require_alignment(const GgufMetadata& metadata) {
    if (const auto alignment = gguf_alignment(metadata)) return *alignment;
    throw Error(ErrorCode::UsageInvalid,
                fmt::format("{} must be a power of two as u32.", kGgufAlignmentKey));
}

}  // namespace

GgufWriter::GgufWriter(const std::filesystem::path& path, const GgufMetadata& metadata,
                       std::vector<TensorSpec> specs)
    : file_(path), stream_(path, std::move(specs)), alignment_(require_alignment(metadata)) {
    file_.write(header_bytes(metadata, stream_.specs(), alignment_));
    pad();
}

void GgufWriter::write(std::string_view name, std::span<const std::byte> piece) {
    const bool complete = stream_.take(name, piece.size());
    file_.write(piece);
    if (complete) pad();
}

void GgufWriter::commit() {
    stream_.require_complete();
    file_.commit();
}

void GgufWriter::pad() {
    const std::uint64_t end = *align_up(file_.bytes_written(), alignment_);
    file_.write(std::string(end - file_.bytes_written(), '\0'));
}

}  // namespace espalier
