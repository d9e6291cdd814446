#include "nn/torch_tensors.h"

#include <cstring>
#include <fmt/format.h>

#include "base/error.h"
#include "tensor/float_formats.h"

namespace espalier {
namespace {

bool is_plain_float(DType dtype) {
    return dtype == DType::F32 || dtype == DType::F16 || dtype == DType::BF16;
}

std::uint16_t load_u16(const std::byte* bytes) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, bytes, sizeof bits);
    return bits;
}

void decode_plain_row(DType dtype, std::span<const std::byte> bytes, std::span<float> out) {
    if (dtype == DType::F32) {
        std::memcpy(out.data(), bytes.data(), out.size_bytes());
        return;
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
        const std::uint16_t bits = load_u16(bytes.data() + 2 * i);
        out[i] = dtype == DType::BF16 ? bf16_to_float(bits) : f16_to_float(bits);
    }
}

torch::Tensor gather_plain_rows(const TensorView& view, std::span<const std::int32_t> rows) {
    const auto columns = static_cast<std::size_t>(view.shape[1]);
    const std::size_t row_bytes = view.bytes.size() / static_cast<std::size_t>(view.shape[0]);
    torch::Tensor out = torch::empty({static_cast<std::int64_t>(rows.size()), view.shape[1]});
    const std::span<float> all = mutable_values(out);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        decode_plain_row(
            view.dtype,
            view.bytes.subspan(static_cast<std::size_t>(rows[i]) * row_bytes, row_bytes),
            all.subspan(i * columns, columns));
    }
    return out;
}

}  // namespace

std::span<const float> values(const torch::Tensor& tensor) {
    TORCH_INTERNAL_ASSERT(tensor.is_contiguous());
    return {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

std::span<float> mutable_values(torch::Tensor& tensor) {
    TORCH_INTERNAL_ASSERT(tensor.is_contiguous());
    return {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

torch::Tensor decode_tensor(const ModelSource& source, const TensorKey& key) {
    torch::Tensor out = torch::empty(source.shape(key), torch::kFloat32);
    source.decode(key, mutable_values(out));
    return out;
}

torch::Tensor decode_optional(const ModelSource& source, const TensorKey& key) {
    return source.has(key) ? decode_tensor(source, key) : torch::Tensor();
}

torch::Tensor decode_rows(const ModelSource& source, const TensorKey& key,
                          std::span<const std::int32_t> rows) {
    const std::int64_t num_rows = source.shape(key).at(0);
    for (const std::int32_t row : rows) {
        if (row < 0 || row >= num_rows) {
            throw Error(ErrorCode::DataLine,
                        fmt::format("Token id {} is outside the vocabulary of {} (0 to {}).", row,
                                    source.name(), num_rows - 1),
                        "Use ids of this model's own tokenizer.");
        }
    }
    const auto view = source.view(key);
    if (view && is_plain_float(view->dtype)) return gather_plain_rows(*view, rows);
    const torch::Tensor ids = torch::tensor(std::vector<std::int64_t>(rows.begin(), rows.end()));
    return decode_tensor(source, key).index_select(0, ids);
}

}  // namespace espalier
