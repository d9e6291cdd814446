#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/rng.h"
#include "formats/gguf_reader.h"
#include "formats/safetensors_reader.h"
#include "kernels/decode.h"
#include "quant/affine_super_block.h"
#include "quant/block_weights.h"
#include "quant/encode.h"
#include "quant/symmetric_super_block.h"

using namespace espalier;

namespace {

using Values = std::vector<float>;
using Bytes = std::vector<std::byte>;

const std::filesystem::path kQuants = std::filesystem::path(ESPALIER_TEST_DATA) / "gguf/quants";
constexpr std::size_t kColumns = 512;  // of every golden tensor
constexpr DType kLegacy[] = {DType::Q8_0, DType::Q4_0, DType::Q4_1, DType::Q5_0, DType::Q5_1};
constexpr DType kFixed[] = {DType::MXFP4};  // whatever the importance
constexpr DType kSearched[] = {DType::Q2_K, DType::Q3_K, DType::Q4_K, DType::Q5_K, DType::Q6_K};

std::string name_of(DType dtype) { return std::string(info(dtype).name); }

Values floats_of(const TensorView& view) {
    Values values(view.bytes.size() / sizeof(float));
    std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
    return values;
}

struct Source {
    Values values;
    Values importance;
};

Source golden_source(const std::string& tensor) {
    const SafetensorsFile file(kQuants / "source.safetensors");
    return {floats_of(*file.find(tensor)), floats_of(*file.find(tensor + ".importance"))};
}

Bytes encoded(DType dtype, std::span<const float> values, std::span<const float> importance,
              std::size_t columns) {
    const DTypeInfo& type = info(dtype);
    const std::size_t row_bytes = columns / type.block_size * type.block_bytes;
    Bytes bytes(values.size() / columns * row_bytes);
    for (std::size_t row = 0; row < values.size() / columns; ++row) {
        encode_row(dtype, values.subspan(row * columns, columns), importance,
                   std::span(bytes).subspan(row * row_bytes, row_bytes));
    }
    return bytes;
}

Values decoded(DType dtype, const Bytes& bytes) {
    Values values(bytes.size() / info(dtype).block_bytes * info(dtype).block_size);
    kernels::decode(dtype, bytes, values);
    return values;
}

/// sum w (a - b)^2; weights repeat every row.
double error_of(std::span<const float> a, std::span<const float> b,
                std::span<const float> weights) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
        sum += difference * difference *
               (weights.empty() ? 1.0 : static_cast<double>(weights[i % weights.size()]));
    }
    return sum;
}

double rel_rmse(const Values& values, const Values& result, std::span<const float> weights) {
    const Values zeros(values.size(), 0.0F);
    return std::sqrt(error_of(values, result, weights) / error_of(values, zeros, weights));
}

Bytes golden_bytes(DType dtype, const std::string& tensor) {
    const GgufFile file(kQuants / (name_of(dtype) + ".gguf"));
    const auto bytes = file.find(tensor)->bytes;
    return {bytes.begin(), bytes.end()};
}

/// 256 values of one of nine kinds.
Values random_block(Rng& rng, std::size_t kind) {
    Values block(kSuperBlock);
    const auto constant = static_cast<float>(rng.normal());
    for (float& value : block) {
        const auto x = static_cast<float>(rng.normal());
        switch (kind % 9) {
            case 0:
                value = 0.05F * x;
                break;
            case 1:
                value = constant;
                break;
            case 2:
                value = 0.0F;
                break;
            case 3:
                value = x * x * x;
                break;
            case 4:
                value = 1e-41F * x;
                break;
            case 5:
                value = 1e30F * x;
                break;
            case 6:
                value = 1e-6F * x;
                break;
            case 7:
                value = std::fabs(x) + 1.0F;
                break;
            default:
                value = -std::fabs(x);
                break;
        }
    }
    if (kind % 2 == 0 && kind % 9 != 2) block[rng.below(kSuperBlock)] *= 50.0F;  // an outlier
    return block;
}

Values random_importance(Rng& rng) {
    Values importance(kSuperBlock);
    for (float& a : importance) a = static_cast<float>(std::exp(2.0 * rng.normal()));
    return importance;
}

Values clamped(Values values) {
    for (float& value : values) value = std::clamp(value, -65504.0F, 65504.0F);
    return values;
}

Values weights_of(const Values& values, const Values& importance, std::size_t block) {
    Values weights(values.size());
    for (std::size_t i = 0; i < values.size(); i += block) {
        block_weights(
            std::span(values).subspan(i, block),
            importance.empty() ? std::span<const float>() : std::span(importance).subspan(i, block),
            std::span(weights).subspan(i, block));
    }
    return weights;
}

/// Error of nearest codes without any search, in the measure that the search minimises.
double plain_error(DType dtype, const Values& values, const Values& weights) {
    const SuperBlockSpan x(values);
    const SuperBlockSpan w(weights);
    switch (dtype) {
        case DType::Q2_K:
            return static_cast<double>(Q2KBlock::round_plainly(x, w).error());
        case DType::Q3_K:
            return static_cast<double>(Q3KBlock::round_plainly(x, w).error());
        case DType::Q4_K:
            return static_cast<double>(Q4KBlock::round_plainly(x, w).error());
        case DType::Q5_K:
            return static_cast<double>(Q5KBlock::round_plainly(x, w).error());
        case DType::Q6_K:
            return static_cast<double>(Q6KBlock::round_plainly(x, w).error());
        default:
            return error_of(values, decoded(dtype, encoded(dtype, values, {}, kSuperBlock)),
                            weights);
    }
}

void add_type_rows(std::span<const DType> types) {
    for (const DType dtype : types) {
        QTest::addRow("%s", name_of(dtype).c_str()) << static_cast<int>(dtype);
    }
}

}  // namespace

class TestEncode : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void legacy_types_equal_the_reference_byte_for_byte_data() {
        QTest::addColumn<int>("type");
        add_type_rows(kLegacy);
        add_type_rows(kFixed);
    }

    void legacy_types_equal_the_reference_byte_for_byte() {
        QFETCH(int, type);
        const auto dtype = static_cast<DType>(type);
        for (const char* tensor : {"normal", "heavy", "edge"}) {
            const Bytes bytes = encoded(dtype, golden_source(tensor).values, {}, kColumns);
            QVERIFY2(bytes == golden_bytes(dtype, tensor), tensor);
        }
    }

    void errors_stay_below_the_reference_data() {
        QTest::addColumn<int>("type");
        add_type_rows(kLegacy);
        add_type_rows(kSearched);
        add_type_rows(kFixed);
    }

    void errors_stay_below_the_reference() {
        QFETCH(int, type);
        const auto dtype = static_cast<DType>(type);
        const Json index = read_json_file(kQuants / "index.json");
        // Where nothing is searched, the reference's own bytes: equal up to the rounding of the
        // sum.
        constexpr double kMargin = 1.0 + 1e-6;
        for (const std::string tensor : {"normal", "heavy"}) {
            const Json& yardstick = index["types"][name_of(dtype)]["tensors"][tensor];
            const Source source = golden_source(tensor);
            const Values plain = decoded(dtype, encoded(dtype, source.values, {}, kColumns));
            const Values weighted =
                decoded(dtype, encoded(dtype, source.values, source.importance, kColumns));
            QVERIFY(rel_rmse(source.values, plain, {}) <=
                    kMargin * yardstick["rel_rmse"].get<double>());
            QVERIFY(rel_rmse(source.values, plain, source.importance) <=
                    kMargin * yardstick["weighted_rel_rmse_as_stored"].get<double>());
            QVERIFY(rel_rmse(source.values, weighted, source.importance) <=
                    kMargin * yardstick["weighted_rel_rmse_with_importance"].get<double>());
        }
    }

    void edge_rows_stay_clean_data() { errors_stay_below_the_reference_data(); }

    void edge_rows_stay_clean() {
        QFETCH(int, type);
        const auto dtype = static_cast<DType>(type);
        const Source source = golden_source("edge");
        for (const Values& importance : {Values{}, source.importance}) {
            const Values values =
                decoded(dtype, encoded(dtype, source.values, importance, kColumns));
            QVERIFY(std::all_of(values.begin(), values.end(),
                                [](float x) { return std::isfinite(x); }));
            for (std::size_t i = 0; i < kColumns; ++i)
                QCOMPARE(values[i], 0.0F);  // the first row is zero
        }
    }

    void search_is_never_worse_than_plain_rounding_data() {
        errors_stay_below_the_reference_data();
    }

    void search_is_never_worse_than_plain_rounding() {
        QFETCH(int, type);
        const auto dtype = static_cast<DType>(type);
        const std::size_t block = is_block(dtype) ? info(dtype).block_size : 1;
        const std::size_t num_blocks = block == 32 ? 10000 / 8 : 1500;
        Rng rng = Rng(7).stream(name_of(dtype));
        for (std::size_t n = 0; n < num_blocks; ++n) {
            const Values values = random_block(rng, n);
            const Values importance =
                n % 3 == 0 && block == 256 ? Values{} : random_importance(rng);
            const Values result = decoded(dtype, encoded(dtype, values, importance, kSuperBlock));
            QVERIFY(std::all_of(result.begin(), result.end(),
                                [](float x) { return std::isfinite(x); }));
            const Values x = clamped(values);
            const Values weights = weights_of(x, importance, block);
            // The search sums in float, where squares of denormals vanish.
            const double limit = plain_error(dtype, x, weights) * (1.0 + 1e-5) + 1e-60;
            const double error = error_of(x, result, weights);
            QVERIFY2(error <= limit, fmt::format("block {}: {} > {}", n, error, limit).c_str());
        }
    }

    void error_falls_with_every_finer_type() {
        Rng rng(3);
        Values values(64 * kColumns);
        for (float& value : values) value = static_cast<float>(rng.normal());
        double last = 1.0;
        for (const DType dtype :
             {DType::Q2_K, DType::Q3_K, DType::Q4_K, DType::Q5_K, DType::Q6_K, DType::Q8_0}) {
            const double error =
                rel_rmse(values, decoded(dtype, encoded(dtype, values, {}, kColumns)), {});
            QVERIFY2(error < last, name_of(dtype).c_str());
            last = error;
        }
        QVERIFY(last < 0.01);
    }

    void scaling_all_importances_changes_nothing_data() { errors_stay_below_the_reference_data(); }

    void scaling_all_importances_changes_nothing() {
        QFETCH(int, type);
        const auto dtype = static_cast<DType>(type);
        const Source source = golden_source("normal");
        Values scaled = source.importance;
        for (float& a : scaled) a *= 4096.0F;  // a power of two: no rounding of its own
        QVERIFY(encoded(dtype, source.values, source.importance, kColumns) ==
                encoded(dtype, source.values, scaled, kColumns));
    }

    void an_important_column_gets_a_smaller_error_data() {
        QTest::addColumn<int>("type");
        add_type_rows(std::span(kLegacy).subspan(1));
        add_type_rows(kSearched);
    }

    void an_important_column_gets_a_smaller_error() {
        QFETCH(int, type);
        const auto dtype = static_cast<DType>(type);
        constexpr std::size_t kColumn = 37;
        Rng rng(11);
        Values values(64 * kSuperBlock);
        for (float& value : values) value = static_cast<float>(rng.normal());
        const auto column_error = [&](float weight) {
            Values importance(kSuperBlock, 1.0F);
            importance[kColumn] = weight;
            const Values result = decoded(dtype, encoded(dtype, values, importance, kSuperBlock));
            double sum = 0;
            for (std::size_t i = kColumn; i < values.size(); i += kSuperBlock) {
                sum +=
                    std::pow(static_cast<double>(values[i]) - static_cast<double>(result[i]), 2.0);
            }
            return sum;
        };
        QVERIFY(column_error(100.0F) < column_error(1.0F));
    }

    void importances_of_zero_leave_a_finite_result() {
        const Source source = golden_source("normal");
        const Values none(kColumns, 0.0F);
        for (const DType dtype : {DType::Q4_0, DType::Q4_1, DType::Q4_K, DType::Q6_K}) {
            const Values result = decoded(dtype, encoded(dtype, source.values, none, kColumns));
            QVERIFY(rel_rmse(source.values, result, {}) < 0.2);
        }
    }

    void halves_saturate_instead_of_becoming_infinite() {
        const Values values{1e6F, -1e6F, 1.5F};
        Bytes bytes(6);
        encode_row(DType::F16, values, {}, bytes);
        const Values result = decoded(DType::F16, bytes);
        QCOMPARE(result, (Values{65504.0F, -65504.0F, 1.5F}));
    }

    void knows_what_it_can_encode() {
        QVERIFY(can_encode(DType::BF16));
        QVERIFY(can_encode(DType::Q4_K));
        QVERIFY(!can_encode(DType::IQ2_XS));
        QVERIFY(!can_encode(DType::I32));
    }
};

QTEST_APPLESS_MAIN(TestEncode)
#include "tst_encode.moc"
