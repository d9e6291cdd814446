#include <QTest>
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/rng.h"
#include "kernels/decode.h"
#include "kernels/each_target.h"
#include "kernels/weighted_rows.h"

using namespace espalier;

namespace {

std::vector<float> random_values(std::size_t count, const char* name) {
    Rng rng = Rng(5).stream(name);
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>(rng.normal());
    return values;
}

}  // namespace

class TestWeightedRows : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void sums_rows_data() {
        QTest::addColumn<std::size_t>("rows");
        QTest::addColumn<std::size_t>("columns");
        for (const std::size_t rows : {1, 2, 15, 16, 17, 64, 65, 130}) {
            for (const std::size_t columns : {1, 3, 4, 8, 15, 16, 17, 33, 64, 100, 1030}) {
                QTest::addRow("%zu x %zu", rows, columns) << rows << columns;
            }
        }
    }
    void sums_rows() {
        QFETCH(std::size_t, rows);
        QFETCH(std::size_t, columns);
        const std::size_t vectors = 5;
        const auto matrix = random_values((rows + 2) * columns, "matrix");
        const auto weights = random_values(vectors * (rows + 1), "weights");
        std::vector<std::byte> halves(matrix.size() * 2);
        kernels::encode_float(DType::BF16, matrix, halves);
        for (const DType dtype : {DType::F32, DType::BF16}) {
            const bool is_half = dtype == DType::BF16;
            std::vector<float> values = matrix;
            if (is_half) kernels::decode(dtype, halves, values);
            const kernels::MatrixView view{.dtype = dtype,
                                           .bytes = is_half ? std::span<const std::byte>(halves)
                                                            : std::as_bytes(std::span(matrix)),
                                           .rows = rows + 2,
                                           .columns = columns,
                                           .row_stride = columns * (is_half ? 2 : 4)};
            for_each_target([&](const std::string& target) {
                std::vector<float> out(vectors * (columns + 1), 7.0F);
                kernels::weighted_rows(
                    view, {1, rows + 1},
                    {.values = weights, .count = vectors, .stride = rows + 1, .picked = {}},
                    {.values = out, .stride = columns + 1});
                for (std::size_t t = 0; t < vectors; ++t) {
                    for (std::size_t c = 0; c < columns; ++c) {
                        double sum = 0;
                        for (std::size_t r = 0; r < rows; ++r) {
                            sum += static_cast<double>(weights[t * (rows + 1) + r]) *
                                   static_cast<double>(values[(r + 1) * columns + c]);
                        }
                        const auto actual = static_cast<double>(out[t * (columns + 1) + c]);
                        // Up to 130 sums, each rounded at 6e-8 of up to 50; a lost product is off
                        // by 0.01.
                        QVERIFY2(std::abs(actual - sum) < 1e-4, target.c_str());
                    }
                    QCOMPARE(out[t * (columns + 1) + columns], 7.0F);
                }
            });
        }
    }

    void bits_do_not_depend_on_what_is_computed_beside() {
        const std::size_t rows = 90;
        const std::size_t columns = 50;
        const auto matrix = random_values(rows * columns, "matrix");
        const auto weights = random_values(3 * rows, "weights");
        const auto view = kernels::float_matrix(matrix, rows, columns, columns);
        for_each_target([&](const std::string&) {
            std::vector<float> together(3 * columns);
            kernels::weighted_rows(view, {0, rows},
                                   {.values = weights, .count = 3, .stride = rows, .picked = {}},
                                   {.values = together, .stride = columns});
            std::vector<float> alone(columns);
            for (std::size_t t = 0; t < 3; ++t) {
                kernels::weighted_rows(view, {0, rows},
                                       {.values = std::span(weights).subspan(t * rows),
                                        .count = 1,
                                        .stride = rows,
                                        .picked = {}},
                                       {.values = alone, .stride = columns});
                QVERIFY(std::equal(alone.begin(), alone.end(),
                                   together.begin() + static_cast<std::ptrdiff_t>(t * columns)));
            }
        });
    }
};

QTEST_APPLESS_MAIN(TestWeightedRows)
#include "tst_weighted_rows.moc"
