#include "quant/write_gguf.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <optional>
#include <span>

#include "base/cancel.h"
#include "base/error.h"
#include "base/log.h"
#include "formats/gguf_reader.h"
#include "formats/gguf_writer.h"
#include "kernels/decode.h"
#include "quant/encode.h"
#include "quant/importance.h"
#include "quant/left_out.h"
#include "quant/matrix_rows.h"
#include "tensor/shape.h"

namespace espalier {
namespace {

/// Values encoded before they are written; bounds the memory whatever the matrix.
constexpr std::size_t kBatchValues = std::size_t{1} << 22;
/// Values that one thread takes at a time: some milliseconds of searching, which is also how soon a
/// stop is noticed.
constexpr std::size_t kPieceValues = std::size_t{1} << 15;

struct SquaredError {
    double error = 0;
    double value = 0;
};

/// Writes tensor after tensor and keeps the sums for the report.
class TensorEncoder {
public:
    TensorEncoder(const GgufWrite& request, GgufWriter& writer, QuantReport& report)
        : request_(request), writer_(writer), report_(report) {
        if (request.importance) importance_.emplace(*request.importance);
        total_bytes_ = request.plan.total_bytes();
    }

    void write(const PlannedTensor& tensor) {
        const bool is_stack = tensor.layout.is_stack;
        const std::int64_t count = is_stack ? tensor.spec.shape.front() : 1;
        for (std::int64_t i = 0; i < count; ++i) {
            TensorKey key = tensor.key;
            if (is_stack) key.expert = static_cast<std::int32_t>(i);
            write_matrix(tensor, key);
        }
        const std::uint64_t bytes = tensor_bytes(tensor.spec.dtype, tensor.spec.shape).value_or(0);
        report_.bytes_by_type[std::string(info(tensor.spec.dtype).name)] += bytes;
        if (tensor.spec.dtype != tensor.wished) {
            report_.fallbacks.push_back(
                fmt::format("{}: {} -> {} (rows of {})", tensor.spec.name, info(tensor.wished).name,
                            info(tensor.spec.dtype).name, tensor.spec.shape.back()));
        }
        log("quant").debug("{}: {}, {} bytes", tensor.spec.name, info(tensor.spec.dtype).name,
                           bytes);
    }

    double weighted_rel_rmse() const {
        return sums_.value > 0 ? std::sqrt(sums_.error / sums_.value) : 0.0;
    }

private:
    void write_matrix(const PlannedTensor& tensor, const TensorKey& key) {
        const MatrixRows rows(request_.model, tensor.layout, key.expert);
        const std::span<const float> weights = importance_of(tensor, key, rows.num_columns());
        const std::size_t batch = std::max<std::size_t>(1, kBatchValues / rows.num_columns());
        for (std::size_t first = 0; first < rows.num_rows(); first += batch) {
            const std::size_t count = std::min(batch, rows.num_rows() - first);
            encode_batch(tensor, rows, weights, first, count);
            writer_.write(tensor.spec.name, encoded_);
            done_bytes_ += encoded_.size();
            if (request_.progress) request_.progress(done_bytes_, total_bytes_, tensor.spec.name);
        }
    }

    std::span<const float> importance_of(const PlannedTensor& tensor, const TensorKey& key,
                                         std::size_t num_columns) {
        // Forms that change what a column is, or rows that are not quantised, have no use for it.
        const TensorForm form = tensor.layout.parts.front().form;
        const bool has_columns_of_model = form == TensorForm::Plain || form == TensorForm::Heads;
        if (!importance_ || !has_columns_of_model || !is_block(tensor.spec.dtype)) return {};
        const std::span<const float> found = importance_->of(key);
        const bool is_usable = std::all_of(found.begin(), found.end(), [](float weight) {
            return std::isfinite(weight) && weight >= 0.0F;
        });
        if (is_usable && (found.empty() || found.size() == num_columns)) return found;
        throw Error(
            ErrorCode::UsageInvalid,
            fmt::format("The statistics do not fit {}: {} columns are expected, the statistics "
                        "have {}{}.",
                        tensor.spec.name, num_columns, found.size(),
                        is_usable ? "" : " and invalid numbers among them"),
            "Calibrate the model that is quantised.");
    }

    /// Rows [first, first + count) into encoded_.
    void encode_batch(const PlannedTensor& tensor, const MatrixRows& rows,
                      std::span<const float> weights, std::size_t first, std::size_t count) {
        const DTypeInfo& type = info(tensor.spec.dtype);
        const std::size_t columns = rows.num_columns();
        const std::size_t row_bytes = columns / type.block_size * type.block_bytes;
        encoded_.resize(count * row_bytes);
        row_sums_.assign(count, {});
        const std::size_t piece = std::max<std::size_t>(1, kPieceValues / columns);
        request_.pool.parallel_for(count, piece, [&](std::size_t begin, std::size_t end) {
            throw_if_stopped(request_.stop);
            std::vector<float> values(columns);
            std::vector<float> decoded(columns);
            for (std::size_t i = begin; i < end; ++i) {
                const auto to = std::span(encoded_).subspan(i * row_bytes, row_bytes);
                if (const auto bytes = rows.copyable(first + i, tensor.spec.dtype)) {
                    std::copy(bytes->begin(), bytes->end(), to.begin());
                    continue;
                }
                rows.decode(first + i, values);
                require_finite(tensor, values, first + i);
                encode_row(tensor.spec.dtype, values, weights, to);
                if (!is_block(tensor.spec.dtype)) continue;
                kernels::decode(tensor.spec.dtype, to, decoded);
                row_sums_[i] = squared_error(values, decoded, weights);
            }
        });
        for (const SquaredError& row : row_sums_) {  // in the order of rows: the same sum always
            sums_.error += row.error;
            sums_.value += row.value;
        }
    }

    static void require_finite(const PlannedTensor& tensor, std::span<const float> values,
                               std::size_t row) {
        const auto found = std::find_if(values.begin(), values.end(),
                                        [](float value) { return !std::isfinite(value); });
        if (found == values.end()) return;
        throw Error(ErrorCode::NumberInvalid,
                    fmt::format("{} holds {} in row {}, column {}.", tensor.spec.name, *found, row,
                                found - values.begin()),
                    "The model is damaged: download or train it again.");
    }

    static SquaredError squared_error(std::span<const float> values, std::span<const float> decoded,
                                      std::span<const float> weights) {
        SquaredError sums;
        for (std::size_t i = 0; i < values.size(); ++i) {
            const double weight = weights.empty() ? 1.0 : static_cast<double>(weights[i]);
            const double value = values[i];
            const double error = value - static_cast<double>(decoded[i]);
            sums.error += weight * error * error;
            sums.value += weight * value * value;
        }
        return sums;
    }

    const GgufWrite& request_;
    GgufWriter& writer_;
    QuantReport& report_;
    std::optional<ColumnImportance> importance_;
    std::vector<std::byte> encoded_;
    std::vector<SquaredError> row_sums_;
    SquaredError sums_;
    std::uint64_t done_bytes_ = 0;
    std::uint64_t total_bytes_ = 0;
};

/// A vector keeps its one dimension; GGUF has no scalars here.
std::vector<TensorSpec> specs_of(const QuantPlan& plan) {
    std::vector<TensorSpec> specs;
    for (const PlannedTensor& tensor : plan.tensors) specs.push_back(tensor.spec);
    return specs;
}

[[noreturn]] void throw_unverified(const std::filesystem::path& path, const std::string& what) {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
    throw Error(ErrorCode::VerifyFailed,
                fmt::format("{} did not read back as it was written: {}. It was removed.",
                            path.filename().string(), what),
                "Check the disk, then try again.");
}

/// Opens the file with the reader that models are opened with, and compares all but the data.
void verify(const std::filesystem::path& path, const GgufMetadata& metadata,
            const QuantPlan& plan) {
    const GgufFile file(path);
    if (!(file.metadata() == metadata)) throw_unverified(path, "the keys differ");
    if (file.tensors().size() != plan.tensors.size()) {
        throw_unverified(path, "the number of tensors differs");
    }
    for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
        const NamedTensor& tensor = file.tensors()[i];
        const TensorSpec& spec = plan.tensors[i].spec;
        if (tensor.name != spec.name || tensor.view.dtype != spec.dtype ||
            tensor.view.shape != spec.shape) {
            throw_unverified(path, fmt::format("tensor {} differs", spec.name));
        }
    }
}

}  // namespace

QuantReport write_gguf(const GgufWrite& request) {
    const GgufMetadata metadata =
        gguf_metadata(request.model, request.plan, request.name, request.lineage);
    GgufWriter writer(request.out, metadata, specs_of(request.plan));
    warn_of_left_out(request.model);
    QuantReport report;
    report.dropped_tensors = request.model.extra_tensors();
    TensorEncoder encoder(request, writer, report);
    std::int32_t layer = -1;
    for (const PlannedTensor& tensor : request.plan.tensors) {
        if (tensor.key.layer != layer) request.model.release_layer(layer);
        layer = tensor.key.layer;
        encoder.write(tensor);
    }
    request.model.release_layer(layer);
    writer.commit();
    verify(request.out, metadata, request.plan);
    report.bytes = std::filesystem::file_size(request.out);
    report.weighted_rel_rmse = encoder.weighted_rel_rmse();
    log("quant").info("{}: {} bytes, weighted relative error {:.4f}",
                      request.out.filename().string(), report.bytes, report.weighted_rel_rmse);
    return report;
}

}  // namespace espalier
