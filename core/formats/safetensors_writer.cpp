#include "formats/safetensors_writer.h"

#include <fmt/format.h>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "formats/file_error.h"

namespace espalier {
namespace {

/// Entry by entry: an ordered JSON object looks through all its keys for every new one.
std::string header_text(std::span<const TensorSpec> specs,
                        const std::map<std::string, std::string>& metadata) {
    std::string text = "{";
    if (!metadata.empty()) text += "\"__metadata__\":" + Json(metadata).dump();
    std::uint64_t begin = 0;
    for (const auto& spec : specs) {
        const auto type_name = info(spec.dtype).safetensors_name;
        if (type_name.empty()) {
            throw Error(ErrorCode::UsageInvalid,
                        fmt::format("Tensor {} is {}, which safetensors cannot hold.",
                                    in_quotes(spec.name), info(spec.dtype).name),
                        "Export to GGUF instead.");
        }
        const std::uint64_t end = begin + *tensor_bytes(spec.dtype, spec.shape);
        if (text.size() > 1) text += ',';
        text += fmt::format(R"({}:{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})",
                            Json(spec.name).dump(), type_name, Json(spec.shape).dump(), begin, end);
        begin = end;
    }
    text += '}';
    constexpr std::size_t kAlignment = 8;  // the data begins at a multiple, as others write it
    text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
    return text;
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path,
                                     std::vector<TensorSpec> specs,
                                     const std::map<std::string, std::string>& metadata)
    : file_(path), stream_(path, std::move(specs)) {
    const std::string header = header_text(stream_.specs(), metadata);
    const std::uint64_t length = header.size();
    file_.write(std::as_bytes(std::span(&length, 1)));
    file_.write(header);
}

void SafetensorsWriter::write(std::string_view name, std::span<const std::byte> piece) {
    stream_.take(name, piece.size());
    file_.write(piece);
}

void SafetensorsWriter::commit() {
    stream_.require_complete();
    file_.commit();
}

}  // namespace espalier
