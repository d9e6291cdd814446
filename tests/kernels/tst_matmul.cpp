#include <QTest>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/rng.h"
#include "kernels/decode.h"
#include "kernels/each_target.h"
#include "kernels/integer_rows.h"
#include "kernels/matmul_float.h"
#include "kernels/matmul_integer.h"
#include "kernels/random_weights.h"

using namespace espalier;

namespace {

struct Expected {
    double value = 0;
    double magnitude = 0;  ///< sum of |products|, what rounding errors are proportional to
};

/// The specification: one product after the other, in double.
std::vector<Expected> plain_matmul(const kernels::MatrixView& weights, const std::vector<float>& x,
                                   std::size_t num_vectors) {
    std::vector<Expected> out(num_vectors * weights.rows);
    std::vector<float> row(weights.columns);
    for (std::size_t r = 0; r < weights.rows; ++r) {
        kernels::decode(weights.dtype, {weights.row(r), weights.row_stride}, row);
        for (std::size_t t = 0; t < num_vectors; ++t) {
            Expected& sum = out[t * weights.rows + r];
            for (std::size_t c = 0; c < weights.columns; ++c) {
                const double product =
                    static_cast<double>(row[c]) * static_cast<double>(x[t * weights.columns + c]);
                sum.value += product;
                sum.magnitude += std::abs(product);
            }
        }
    }
    return out;
}

std::vector<float> random_rows(std::size_t count) {
    Rng rng = Rng(5).stream("activations");
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>(rng.normal());
    for (std::size_t i = 0; i < count; i += 97) values[i] *= 30.0F;  // outliers, as models have
    return values;
}

void compare(const std::vector<float>& actual, const std::vector<Expected>& expected,
             const std::string& target) {
    QCOMPARE(actual.size(), expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i) {
        const double error = std::abs(static_cast<double>(actual[i]) - expected[i].value);
        QVERIFY2(error <= 2e-6 * expected[i].magnitude + 1e-30,
                 qPrintable(QString("%1, product %2: %3 instead of %4 (of %5)")
                                .arg(target.c_str())
                                .arg(i)
                                .arg(static_cast<double>(actual[i]))
                                .arg(expected[i].value)
                                .arg(expected[i].magnitude)));
    }
}

/// The integer form of rows, with its memory.
struct OwnedIntegerRows {
    std::vector<std::int16_t> values;
    std::vector<float> scales;
    std::vector<float> sums;
    kernels::IntegerRows view;

    OwnedIntegerRows(const std::vector<float>& x, std::size_t count, std::size_t columns) {
        view.count = count;
        view.columns = columns;
        const std::size_t blocks = view.num_blocks();
        const std::size_t groups = columns / kernels::kIntegerGroup;
        values.resize(count * columns);
        scales.resize(count * blocks);
        sums.resize(count * groups);
        for (std::size_t t = 0; t < count; ++t) {
            kernels::quantise_row(std::span(x).subspan(t * columns, columns),
                                  std::span(values).subspan(t * columns, columns),
                                  std::span(scales).subspan(t * blocks, blocks),
                                  std::span(sums).subspan(t * groups, groups));
        }
        view.values = values;
        view.scales = scales;
        view.sums = sums;
    }

    float value(std::size_t row, std::size_t column) const {
        const std::size_t in_group = column % 32;
        const std::size_t place = column - in_group + in_group / 2 + (in_group % 2) * 16;
        return scales[row * view.num_blocks() + column / 256] *
               static_cast<float>(values[row * view.columns + place]);
    }
};

void add_products() {
    QTest::addColumn<int>("dtype");
    QTest::addColumn<std::size_t>("rows");
    QTest::addColumn<std::size_t>("columns");
    QTest::addColumn<std::size_t>("vectors");
}

void add_products_of(DType dtype, std::initializer_list<std::size_t> columns) {
    for (const std::size_t c : columns) {
        for (const std::size_t rows : {1, 7, 37}) {
            for (const std::size_t vectors : {1, 2, 3, 7, 8}) {
                QTest::addRow("%s %zux%zu by %zu", info(dtype).name.data(), rows, c, vectors)
                    << static_cast<int>(dtype) << rows << c << vectors;
            }
        }
    }
}

}  // namespace

class TestMatmul : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void float_products_match_the_plain_ones_data() {
        add_products();
        for (const DType dtype : {DType::F32, DType::F16, DType::BF16}) {
            add_products_of(dtype, {1, 12, 31, 32, 40, 1024, 1031, 2100});
        }
        for (const DType dtype : {DType::Q8_0, DType::Q5_0, DType::MXFP4}) {
            add_products_of(dtype, {32, 96, 1056});
        }
        for (const DType dtype : {DType::Q4_K, DType::Q6_K, DType::IQ4_XS}) {
            add_products_of(dtype, {256, 1280});
        }
    }
    void float_products_match_the_plain_ones() {
        QFETCH(int, dtype);
        QFETCH(std::size_t, rows);
        QFETCH(std::size_t, columns);
        QFETCH(std::size_t, vectors);
        const RandomWeights weights(static_cast<DType>(dtype), rows, columns);
        const auto x = random_rows(vectors * columns);
        const auto expected = plain_matmul(weights.view(), x, vectors);
        for_each_target([&](const std::string& target) {
            std::vector<float> out(vectors * rows, -1.0F);
            kernels::matmul_float(weights.view(), {0, rows},
                                  {.values = x, .count = vectors, .stride = columns, .picked = {}},
                                  {.values = out, .stride = rows});
            compare(out, expected, target);
        });
    }

    void mxfp4_with_its_scales_apart_has_the_same_products() {
        constexpr std::size_t kRows = 37;
        constexpr std::size_t kColumns = 1056;
        constexpr std::size_t kBlocks = kColumns / 32;
        const RandomWeights weights(DType::MXFP4, kRows, kColumns);
        const kernels::MatrixView joined = weights.view();
        std::vector<std::byte> codes(kRows * kBlocks * 16);
        std::vector<std::byte> scales(kRows * kBlocks);
        for (std::size_t b = 0; b < scales.size(); ++b) {
            const std::byte* block = joined.bytes.data() + 17 * b;
            scales[b] = block[0];
            const auto code = [&](std::size_t i) {
                return i < 16 ? block[1 + i] & std::byte{15} : block[1 + i - 16] >> 4;
            };
            for (std::size_t j = 0; j < 16; ++j) {
                codes[16 * b + j] = code(2 * j) | code(2 * j + 1) << 4;
            }
        }
        // Every other row, as gate and up of gpt-oss lie.
        const kernels::MatrixView apart{.dtype = DType::MXFP4,
                                        .bytes = std::span(codes).subspan(kBlocks * 16),
                                        .rows = kRows / 2,
                                        .columns = kColumns,
                                        .row_stride = 2 * kBlocks * 16,
                                        .scales = std::span(scales).subspan(kBlocks),
                                        .scales_stride = 2 * kBlocks};
        const auto x = random_rows(3 * kColumns);
        for_each_target([&](const std::string& target) {
            for (const std::size_t vectors : {1, 3}) {
                std::vector<float> expected(vectors * kRows);
                std::vector<float> out(vectors * apart.rows);
                const kernels::RowsView rows{
                    .values = x, .count = vectors, .stride = kColumns, .picked = {}};
                kernels::matmul_float(joined, {0, kRows}, rows,
                                      {.values = expected, .stride = kRows});
                kernels::matmul_float(apart, {0, apart.rows}, rows,
                                      {.values = out, .stride = apart.rows});
                for (std::size_t t = 0; t < vectors; ++t) {
                    for (std::size_t r = 0; r < apart.rows; ++r) {
                        const float whole = expected[t * kRows + 2 * r + 1];
                        // Which rows share a block of sums differs, not the order of a sum.
                        QVERIFY2(out[t * apart.rows + r] == whole, target.c_str());
                    }
                }
            }
        });
    }

    void integer_products_match_the_plain_ones_data() {
        add_products();
        for (const DType dtype : {DType::Q8_0, DType::Q4_0, DType::Q5_0}) {
            add_products_of(dtype, {32, 96, 256, 320, 1056});
        }
        for (const DType dtype : {DType::Q4_K, DType::Q5_K, DType::Q6_K}) {
            add_products_of(dtype, {256, 1280});
        }
    }
    void integer_products_match_the_plain_ones() {
        QFETCH(int, dtype);
        QFETCH(std::size_t, rows);
        QFETCH(std::size_t, columns);
        QFETCH(std::size_t, vectors);
        const RandomWeights weights(static_cast<DType>(dtype), rows, columns);
        const auto x = random_rows(vectors * columns);
        for_each_target([&](const std::string& target) {
            if (!kernels::has_matmul_integer(weights.view().dtype)) return;
            const OwnedIntegerRows integers(x, vectors, columns);
            std::vector<float> rounded(x.size());
            for (std::size_t i = 0; i < x.size(); ++i) {
                rounded[i] = integers.value(i / columns, i % columns);
            }
            std::vector<float> out(vectors * rows, -1.0F);
            kernels::matmul_integer(weights.view(), {0, rows}, integers.view,
                                    {.values = out, .stride = rows});
            // Minimums are subtracted after the fact: measure against both parts.
            compare(out, plain_matmul(weights.view(), rounded, vectors), target);
        });
    }

    void integer_rows_are_within_half_a_step() {
        const std::size_t columns = 608;
        const auto x = random_rows(3 * columns);
        for_each_target([&](const std::string&) {
            const OwnedIntegerRows integers(x, 3, columns);
            for (std::size_t t = 0; t < 3; ++t) {
                for (std::size_t c = 0; c < columns; ++c) {
                    const float step = integers.scales[t * 3 + c / 256];
                    QVERIFY(std::abs(integers.value(t, c) - x[t * columns + c]) <= 0.5005F * step);
                }
                for (std::size_t g = 0; g < columns / 32; ++g) {
                    double sum = 0;
                    for (std::size_t i = 0; i < 32; ++i) {
                        sum += static_cast<double>(integers.value(t, 32 * g + i));
                    }
                    const auto stored = static_cast<double>(integers.sums[t * columns / 32 + g]);
                    QVERIFY(std::abs(stored - sum) <= 1e-4);
                }
            }
        });
    }

    void zero_rows_stay_zero() {
        const std::vector<float> x(320, 0.0F);
        for_each_target([&](const std::string&) {
            const OwnedIntegerRows integers(x, 1, 320);
            for (const auto value : integers.values) QCOMPARE(value, std::int16_t{0});
            for (const auto scale : integers.scales) QCOMPARE(scale, 0.0F);
        });
    }

    void bits_do_not_depend_on_the_batch_data() {
        QTest::addColumn<int>("dtype");
        for (const DType dtype : {DType::F32, DType::BF16, DType::F16, DType::Q8_0, DType::Q5_0,
                                  DType::Q4_K, DType::Q5_K, DType::Q6_K}) {
            QTest::addRow("%s", info(dtype).name.data()) << static_cast<int>(dtype);
        }
    }
    void bits_do_not_depend_on_the_batch() {
        QFETCH(int, dtype);
        constexpr std::size_t kRows = 37;
        constexpr std::size_t kColumns = 1280;
        constexpr std::size_t kVectors = 11;
        const RandomWeights weights(static_cast<DType>(dtype), kRows, kColumns);
        const auto x = random_rows(kVectors * kColumns);
        const OwnedIntegerRows integers(x, kVectors, kColumns);
        const bool has_integers = kernels::has_matmul_integer(weights.view().dtype);
        const auto product = [&](kernels::RowRange rows, std::span<const std::int32_t> picked,
                                 std::vector<float>& floats, std::vector<float>& ints) {
            kernels::matmul_float(
                weights.view(), rows,
                {.values = x, .count = picked.size(), .stride = kColumns, .picked = picked},
                {.values = floats, .stride = kRows});
            kernels::IntegerRows view = integers.view;
            view.count = picked.size();
            view.picked = picked;
            if (has_integers) {
                kernels::matmul_integer(weights.view(), rows, view,
                                        {.values = ints, .stride = kRows});
            }
        };
        std::vector<std::int32_t> all(kVectors);
        std::iota(all.begin(), all.end(), 0);
        std::vector<float> floats(kVectors * kRows);
        std::vector<float> ints(kVectors * kRows);
        product({0, kRows}, all, floats, ints);
        for (std::size_t t = 0; t < kVectors; ++t) {
            const std::int32_t one[] = {static_cast<std::int32_t>(t)};
            std::vector<float> row(kRows);
            std::vector<float> int_row(kRows);
            product({0, 5}, one, row, int_row);
            product({5, kRows}, one, row, int_row);
            for (std::size_t r = 0; r < kRows; ++r) {
                QCOMPARE(std::bit_cast<std::uint32_t>(row[r]),
                         std::bit_cast<std::uint32_t>(floats[t * kRows + r]));
                QCOMPARE(std::bit_cast<std::uint32_t>(int_row[r]),
                         std::bit_cast<std::uint32_t>(ints[t * kRows + r]));
            }
        }
    }

    void odd_addresses_are_read() {
        const RandomWeights weights(DType::F32, 3, 40);
        std::vector<std::byte> shifted(weights.view().bytes.size() + 1);
        std::copy(weights.view().bytes.begin(), weights.view().bytes.end(), shifted.begin() + 1);
        kernels::MatrixView view = weights.view();
        view.bytes = std::span(shifted).subspan(1);
        const auto x = random_rows(40);
        std::vector<float> out(3);
        kernels::matmul_float(view, {0, 3}, {.values = x, .count = 1, .stride = 40, .picked = {}},
                              {.values = out, .stride = 3});
        compare(out, plain_matmul(weights.view(), x, 1), "default");
    }
};

QTEST_APPLESS_MAIN(TestMatmul)
#include "tst_matmul.moc"
