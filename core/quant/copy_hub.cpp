#include "quant/copy_hub.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/cancel.h"
#include "kernels/decode.h"
#include "model/tensor_names.h"
#include "model/tensor_place.h"
#include "tensor/buffer.h"

namespace espalier {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{8} << 20;

std::size_t elements(const Shape& shape) { return num_elements(shape).value_or(0); }

/// One of `count` equal parts that lie one after the other; of a stack, the matrix of one expert.
TensorView part(const TensorView& view, std::size_t index, std::size_t count) {
    const std::size_t bytes = view.bytes.size() / count;
    Shape shape = view.shape;
    if (count > 1) shape.erase(shape.begin(), shape.end() - 2);
    return {view.dtype, std::move(shape), view.bytes.subspan(index * bytes, bytes)};
}

/// [rows, columns] becomes [columns, rows].
void transpose(Buffer<float>& values, std::size_t rows, std::size_t columns) {
    Buffer<float> turned(values.size());
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t column = 0; column < columns; ++column) {
            turned.data()[column * rows + row] = values.data()[row * columns + column];
        }
    }
    values = std::move(turned);
}

}  // namespace

/// Hands pieces on to the writer and tells how far it is.
class HubCopy::Progress {
public:
    Progress(const HubWrite& request, HubFolderWriter& writer, std::uint64_t total)
        : request_(request), writer_(writer), total_(total) {}

    void write(const std::string& name, std::span<const std::byte> bytes) {
        throw_if_stopped(request_.stop);
        writer_.write(name, bytes);
        done_ += bytes.size();
        if (request_.progress) request_.progress(done_, total_);
    }

private:
    const HubWrite& request_;
    HubFolderWriter& writer_;
    std::uint64_t total_;
    std::uint64_t done_ = 0;
};

HubCopy::HubCopy(const ModelSource& model, const HubFolder& folder)
    : model_(model), folder_(folder) {
    std::set<std::string, std::less<>> seconds;
    std::map<std::string, Item, std::less<>> pairs;
    for (const NamedTensor& stored : model.stored_tensors()) {
        auto pair = mxfp4_pair(stored);
        if (!pair) pair = f8_pair(stored);
        if (!pair) continue;
        seconds.insert(pair->second);
        pairs.emplace(stored.name, std::move(*pair));
    }
    for (const NamedTensor& stored : model.stored_tensors()) {
        const auto pair = pairs.find(stored.name);
        if (pair != pairs.end()) {
            items_.push_back(std::move(pair->second));
        } else if (!seconds.contains(stored.name)) {
            items_.push_back({{stored.name, stored.view.dtype, stored.view.shape}, stored.view});
        }
    }
    has_pairs_ = !pairs.empty();
}

/// Tensors that text does not pass through were not checked when the model was opened: one whose
/// partner has another shape is no pair.
std::optional<HubCopy::Item> HubCopy::mxfp4_pair(const NamedTensor& stored) const {
    const Shape& shape = stored.view.shape;
    if (!stored.name.ends_with(kBlocksSuffix) || shape.size() != 4) return std::nullopt;
    const std::string name = stored.name.substr(0, stored.name.size() - kBlocksSuffix.size());
    const std::string second = name + std::string(kScalesSuffix);
    const TensorView* scales = folder_.find(second);
    const bool fits = scales != nullptr && stored.view.dtype == DType::U8 &&
                      scales->dtype == DType::U8 && shape[3] == kMxfp4Bytes &&
                      scales->shape == Shape{shape[0], shape[1], shape[2]};
    if (!fits) return std::nullopt;
    // Codes [experts, rows, blocks, 16] are values [experts, columns, rows].
    const Shape values{shape[0], shape[2] * kMxfp4Block, shape[1]};
    return Item{{name, DType::BF16, values}, stored.view, *scales, second};
}

std::optional<HubCopy::Item> HubCopy::f8_pair(const NamedTensor& stored) const {
    if (stored.view.dtype != DType::F8E4M3 || stored.view.shape.size() < 2) return std::nullopt;
    const std::string second = stored.name + std::string(kScaleInvSuffix);
    const TensorView* scales = folder_.find(second);
    Shape squares = stored.view.shape;
    for (auto side = squares.end() - 2; side != squares.end(); ++side) {
        *side = (*side + kScaledSquare - 1) / kScaledSquare;
    }
    const bool fits =
        scales != nullptr && scales->shape == squares && kernels::can_decode(scales->dtype);
    if (!fits) return std::nullopt;
    return Item{{stored.name, DType::F32, stored.view.shape}, stored.view, *scales, second};
}

std::vector<TensorSpec> HubCopy::specs() const {
    std::vector<TensorSpec> specs;
    for (const Item& item : items_) specs.push_back(item.spec);
    return specs;
}

std::uint64_t HubCopy::total_bytes() const {
    std::uint64_t total = 0;
    for (const Item& item : items_) {
        total += tensor_bytes(item.spec.dtype, item.spec.shape).value_or(0);
    }
    return total;
}

void HubCopy::write(HubFolderWriter& writer, const HubWrite& request) const {
    Progress progress(request, writer, total_bytes());
    for (const Item& item : items_) {
        if (item.scales.bytes.empty()) {
            write_bytes(item, progress);
        } else {
            write_pair(item, progress);
        }
        folder_.release(item.view);
    }
}

void HubCopy::write_bytes(const Item& item, Progress& progress) const {
    const auto bytes = item.view.bytes;
    for (std::size_t at = 0; at < bytes.size(); at += kChunkBytes) {
        progress.write(item.spec.name, bytes.subspan(at, std::min(kChunkBytes, bytes.size() - at)));
    }
}

void HubCopy::write_pair(const Item& item, Progress& progress) const {
    const bool is_mxfp4 = item.spec.dtype == DType::BF16;
    const Shape& shape = item.spec.shape;
    const std::int64_t first = shape.at(shape.size() - 2);
    const std::size_t size = static_cast<std::size_t>(first * shape.back());
    const std::size_t count = size == 0 ? 0 : elements(shape) / size;
    Buffer<float> values(size);
    std::vector<std::byte> bytes(size * info(item.spec.dtype).block_bytes);
    for (std::size_t i = 0; i < count; ++i) {
        const TensorPlace matrix{
            part(item.view, i, count), RowOrder::AsNamed,
            is_mxfp4 ? TensorForm::Mxfp4Pair : TensorForm::Plain, part(item.scales, i, count),
            is_mxfp4 ? Shape{shape.back(), first} : Shape{first, shape.back()}};
        decode(matrix, model_.config(), values.span());
        if (is_mxfp4) transpose(values, shape.back(), first);
        kernels::encode_float(item.spec.dtype, values.span(), bytes);
        progress.write(item.spec.name, bytes);
    }
}

}  // namespace espalier
