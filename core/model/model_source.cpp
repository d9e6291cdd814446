#include "model/model_source.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fstream>
#include <system_error>

#include "base/error.h"
#include "base/file_hash.h"
#include "formats/file_error.h"
#include "model/gguf_model.h"
#include "model/hub_model.h"
#include "model/moe_config_json.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

bool is_gguf(const fs::path& path) {
    std::array<char, 4> magic{};
    std::ifstream file(path, std::ios::binary);
    return file.read(magic.data(), magic.size()) && std::string_view(magic.data(), 4) == "GGUF";
}

/// Short pieces at even distances: at least four a tensor, and one in each expert of a stack.
void hash_samples(Sha256& hash, const TensorView& view) {
    constexpr std::size_t kPiece = 1024;
    constexpr std::size_t kLeastPieces = 4;
    const auto outermost = view.shape.size() < 3 ? 0 : static_cast<std::size_t>(view.shape[0]);
    const std::size_t pieces = std::max(kLeastPieces, outermost);
    if (view.bytes.size() <= pieces * kPiece) {
        hash.update(view.bytes);
        return;
    }
    const std::size_t stride = view.bytes.size() / pieces;
    for (std::size_t i = 0; i < pieces; ++i) hash.update(view.bytes.subspan(i * stride, kPiece));
}

/// The system maps far more of the file than was read.
void release(const ModelSource& model, const TensorView& view) {
    if (const HubFolder* folder = model.hub_folder()) folder->release(view);
    const GgufFile* file = model.gguf_file();
    if (file != nullptr && file->file().contains(view.bytes)) file->file().release(view.bytes);
}

}  // namespace

std::unique_ptr<ModelSource> ModelSource::open(const fs::path& path) {
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) return std::make_unique<HubModel>(path);
    if (!fs::exists(path, ignored)) {
        throw Error(ErrorCode::FileMissing, fmt::format("{} does not exist.", path.string()),
                    "Check the path.");
    }
    if (is_gguf(path) || path.extension() == ".gguf") return std::make_unique<GgufModel>(path);
    throw unsupported_file(path, "it is neither a model folder nor a .gguf file");
}

std::string ModelSource::name() const {
    const fs::path whole = fs::weakly_canonical(path_);
    return (hub_folder() ? whole.filename() : whole.stem()).string();
}

std::string ModelSource::hash() const {
    Sha256 hash;
    hash.update(to_json(config_).dump());
    for (const auto& [name, view] : stored_tensors()) {
        hash.update(
            fmt::format("\n{} {} {} ", name, info(view.dtype).name, shape_text(view.shape)));
        hash_samples(hash, view);
        release(*this, view);
    }
    return hash.hex();
}

}  // namespace espalier
