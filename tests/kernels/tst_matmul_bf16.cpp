#include <QTest>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "base/rng.h"
#include "kernels/matmul_bf16.h"
#include "kernels/matmul_float.h"
#include "tensor/float_formats.h"

using namespace espalier;

namespace {

struct Case {
    std::size_t rows = 0;
    std::size_t columns = 0;
    std::size_t vectors = 0;
    std::vector<std::uint16_t> weights;
    std::vector<std::uint16_t> x;

    Case(std::size_t num_rows, std::size_t num_columns, std::size_t num_vectors)
        : rows(num_rows),
          columns(num_columns),
          vectors(num_vectors),
          weights(random(num_rows * num_columns, "weights")),
          x(random(num_vectors * num_columns, "vectors")) {}

    static std::vector<std::uint16_t> random(std::size_t count, const char* what) {
        Rng rng = Rng(9).stream(what);
        std::vector<std::uint16_t> values(count);
        for (auto& value : values) value = float_to_bf16(static_cast<float>(rng.normal()));
        return values;
    }
    kernels::MatrixView matrix() const {
        return {.dtype = DType::BF16,
                .bytes = std::as_bytes(std::span(weights)),
                .rows = rows,
                .columns = columns,
                .row_stride = columns * sizeof(std::uint16_t)};
    }
    kernels::Bf16RowsView all() const {
        return {.values = x, .count = vectors, .stride = columns, .picked = {}};
    }
    std::vector<float> product() const {
        std::vector<float> out(vectors * rows, NAN);
        kernels::matmul_bf16(matrix(), {0, rows}, all(), {.values = out, .stride = rows});
        return out;
    }
};

}  // namespace

class TestMatmulBf16 : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        if (!kernels::has_matmul_bf16()) QSKIP("this processor multiplies no pairs of bfloat16");
    }

    void equals_products_in_double_data() {
        QTest::addColumn<int>("rows");
        QTest::addColumn<int>("columns");
        QTest::addColumn<int>("vectors");
        for (const int vectors : {1, 2, 7, 11, 12, 13, 25, 40}) {
            QTest::addRow("%d vectors", vectors) << 48 << 64 << vectors;
        }
        for (const int rows : {1, 15, 16, 17, 33, 255, 256, 257, 530}) {
            QTest::addRow("%d rows", rows) << rows << 32 << 14;
        }
        for (const int columns : {2, 30, 32, 34, 1022, 1024, 1026, 2050}) {
            QTest::addRow("%d columns", columns) << 20 << columns << 14;
        }
    }

    void equals_products_in_double() {
        QFETCH(int, rows);
        QFETCH(int, columns);
        QFETCH(int, vectors);
        const Case test(static_cast<std::size_t>(rows), static_cast<std::size_t>(columns),
                        static_cast<std::size_t>(vectors));
        const std::vector<float> out = test.product();
        for (std::size_t t = 0; t < test.vectors; ++t) {
            for (std::size_t r = 0; r < test.rows; ++r) {
                double sum = 0;
                double magnitude = 0;
                for (std::size_t c = 0; c < test.columns; ++c) {
                    const double product =
                        static_cast<double>(bf16_to_float(test.weights[r * test.columns + c])) *
                        static_cast<double>(bf16_to_float(test.x[t * test.columns + c]));
                    sum += product;
                    magnitude += std::abs(product);
                }
                const double found = static_cast<double>(out[t * test.rows + r]);
                QVERIFY2(std::abs(found - sum) <= 2e-6 * magnitude,
                         qPrintable(QString("vector %1, row %2: %3 instead of %4")
                                        .arg(t)
                                        .arg(r)
                                        .arg(found)
                                        .arg(sum)));
            }
        }
    }

    void neither_neighbours_nor_pieces_change_a_bit() {
        const Case test(70, 1100, 29);
        const std::vector<float> whole = test.product();
        std::vector<float> out(whole.size(), NAN);
        for (std::size_t row = 0; row < test.rows; row += 9) {
            const kernels::RowRange rows{row, std::min(row + 9, test.rows)};
            for (std::size_t t = 0; t < test.vectors; ++t) {
                kernels::Bf16RowsView one = test.all();
                one.values = one.values.subspan(t * test.columns);
                one.count = 1;
                kernels::matmul_bf16(
                    test.matrix(), rows, one,
                    {.values = std::span(out).subspan(t * test.rows), .stride = test.rows});
            }
        }
        QCOMPARE(out, whole);
    }

    void takes_the_vectors_that_are_picked() {
        const Case test(40, 96, 20);
        const std::vector<float> whole = test.product();
        const std::vector<std::int32_t> picked{19, 3, 3, 0, 8, 7, 11, 12, 13, 2, 1, 17, 5, 19};
        kernels::Bf16RowsView view = test.all();
        view.count = picked.size();
        view.picked = picked;
        std::vector<float> out(picked.size() * test.rows);
        kernels::matmul_bf16(test.matrix(), {0, test.rows}, view,
                             {.values = out, .stride = test.rows});
        for (std::size_t i = 0; i < picked.size(); ++i) {
            for (std::size_t r = 0; r < test.rows; ++r) {
                QCOMPARE(out[i * test.rows + r],
                         whole[static_cast<std::size_t>(picked[i]) * test.rows + r]);
            }
        }
    }

    /// The other way to the same numbers, for processors without such products.
    void agrees_with_products_of_rounded_floats() {
        const Case test(64, 512, 30);
        std::vector<float> x(test.x.size());
        for (std::size_t i = 0; i < x.size(); ++i) x[i] = bf16_to_float(test.x[i]);
        std::vector<float> other(test.vectors * test.rows);
        kernels::matmul_float(
            test.matrix(), {0, test.rows},
            {.values = x, .count = test.vectors, .stride = test.columns, .picked = {}},
            {.values = other, .stride = test.rows});
        const std::vector<float> out = test.product();
        for (std::size_t i = 0; i < out.size(); ++i) {
            QVERIFY(std::abs(out[i] - other[i]) <= 1e-4F);
        }
    }

    void rounds_to_nearest_even() {
        std::vector<float> values{0.0F,
                                  -0.0F,
                                  1.0F,
                                  3.0e38F,
                                  -3.4e38F,
                                  std::numeric_limits<float>::infinity(),
                                  -std::numeric_limits<float>::infinity()};
        for (const std::uint32_t bits : {0x3F808000U, 0x3F818000U, 0x3F808001U, 0x3F807FFFU}) {
            values.push_back(std::bit_cast<float>(bits));
        }
        Rng rng(3);
        while (values.size() < 101) values.push_back(static_cast<float>(rng.normal()));
        std::vector<std::uint16_t> rounded(values.size());
        kernels::round_to_bf16(values, rounded);
        for (std::size_t i = 0; i < values.size(); ++i) {
            QCOMPARE(rounded[i], float_to_bf16(values[i]));
        }
        QCOMPARE(rounded[7], 0x3F80U);
        QCOMPARE(rounded[8], 0x3F82U);

        const std::vector<float> nans(20, std::numeric_limits<float>::quiet_NaN());
        rounded.resize(nans.size());
        kernels::round_to_bf16(nans, rounded);
        for (const std::uint16_t bits : rounded) QVERIFY(std::isnan(bf16_to_float(bits)));
    }
};

QTEST_APPLESS_MAIN(TestMatmulBf16)
#include "tst_matmul_bf16.moc"
