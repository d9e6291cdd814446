#include <QTest>
#include <vector>

#include "kernels/delta_rule.h"
#include "kernels/gate_ops.h"
#include "kernels/integer_rows.h"
#include "kernels/matmul_float.h"
#include "kernels/matmul_integer.h"
#include "kernels/random_weights.h"
#include "kernels/vector_ops.h"
#include "kernels/weighted_rows.h"

using namespace espalier;

namespace {

constexpr std::size_t kColumns = 1024;
/// 8 Mi weights: more than the caches hold, as in generation.
constexpr std::size_t kRows = 8192;

}  // namespace

/// Products of one thread: 8 Mi weights with one vector, as in generation, where bytes a second
/// count; 1 Mi with many, as in reading a prompt, where multiply-adds do.
class BenchKernels : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void products_data() {
        QTest::addColumn<int>("dtype");
        QTest::addColumn<bool>("integer");
        QTest::addColumn<std::size_t>("vectors");
        for (const std::size_t vectors : {1, 16, 64}) {
            for (const DType dtype : {DType::F32, DType::BF16, DType::F16, DType::Q8_0, DType::Q5_0,
                                      DType::Q4_K, DType::Q5_K, DType::Q6_K}) {
                for (const bool integer : {false, true}) {
                    if (integer && !kernels::has_matmul_integer(dtype)) continue;
                    QTest::addRow("%s %s x%zu", info(dtype).name.data(),
                                  integer ? "integer" : "float", vectors)
                        << static_cast<int>(dtype) << integer << vectors;
                }
            }
        }
    }
    void products() {
        QFETCH(int, dtype);
        QFETCH(bool, integer);
        QFETCH(std::size_t, vectors);
        const std::size_t rows = vectors == 1 ? kRows : kRows / 8;
        const RandomWeights weights(static_cast<DType>(dtype), rows, kColumns);
        Rng rng(3);
        std::vector<float> x(vectors * kColumns);
        for (float& value : x) value = static_cast<float>(rng.normal());
        std::vector<float> out(vectors * rows);
        std::vector<std::int16_t> codes(x.size());
        std::vector<float> scales(x.size() / kernels::kIntegerBlock);
        std::vector<float> sums(x.size() / kernels::kIntegerGroup);
        const auto run = [&] {
            if (!integer) {
                kernels::matmul_float(
                    weights.view(), {0, rows},
                    {.values = x, .count = vectors, .stride = kColumns, .picked = {}},
                    {.values = out, .stride = rows});
                return;
            }
            kernels::quantise_row(x, codes, scales, sums);
            kernels::matmul_integer(weights.view(), {0, rows},
                                    {.values = codes,
                                     .scales = scales,
                                     .sums = sums,
                                     .count = vectors,
                                     .columns = kColumns,
                                     .picked = {}},
                                    {.values = out, .stride = rows});
        };
        run();
        QBENCHMARK { run(); }
    }

    void vector_operations_data() {
        QTest::addColumn<int>("operation");
        QTest::addRow("rms_norm") << 0;
        QTest::addRow("softmax") << 1;
        QTest::addRow("silu_mul") << 2;
        QTest::addRow("quantise_row") << 3;
    }
    void vector_operations() {
        QFETCH(int, operation);
        Rng rng(4);
        std::vector<float> x(kColumns);
        for (float& value : x) value = static_cast<float>(rng.normal());
        std::vector<float> out(kColumns);
        std::vector<std::int16_t> codes(kColumns);
        std::vector<float> scales(kColumns / kernels::kIntegerBlock);
        std::vector<float> sums(kColumns / kernels::kIntegerGroup);
        QBENCHMARK {
            if (operation == 0) kernels::rms_norm(x, x, 1e-6F, out);
            if (operation == 1) kernels::softmax(out);
            if (operation == 2) kernels::silu_mul(x, x, out);
            if (operation == 3) kernels::quantise_row(x, codes, scales, sums);
        }
    }

    /// 512 tokens of a quarter of a head of Qwen3-Next: 6 million multiply-adds.
    void delta_rule() {
        constexpr std::size_t kTokens = 512;
        constexpr std::size_t kKeyDim = 128;
        constexpr std::size_t kWidth = kernels::kDeltaColumns;
        Rng rng(5);
        std::vector<float> rows(kTokens * kKeyDim);
        for (float& value : rows) value = static_cast<float>(rng.normal()) * 0.1F;
        const std::vector<float> factors(kTokens, 0.5F);
        std::vector<float> state(kKeyDim * kWidth);
        std::vector<float> out(kTokens * kWidth);
        const kernels::RowsView view{
            .values = rows, .count = kTokens, .stride = kKeyDim, .picked = {}};
        QBENCHMARK {
            kernels::delta_rule({.queries = view,
                                 .keys = view,
                                 .values = view,
                                 .decays = factors,
                                 .strengths = factors,
                                 .key_dim = kKeyDim,
                                 .width = kWidth},
                                state, {.values = out, .stride = kWidth});
        }
    }

    /// Sums of latent attention: rows of 512 under the scores of so many vectors.
    void weighted_rows_data() {
        QTest::addColumn<std::size_t>("vectors");
        for (const std::size_t vectors : {1, 4, 16}) QTest::addRow("x%zu", vectors) << vectors;
    }
    void weighted_rows() {
        QFETCH(std::size_t, vectors);
        constexpr std::size_t kKeys = 2048;
        constexpr std::size_t kRank = 512;
        const std::vector<float> rows(kKeys * kRank, 0.5F);
        const std::vector<float> weights(vectors * kKeys, 0.25F);
        std::vector<float> out(vectors * kRank);
        QBENCHMARK {
            kernels::weighted_rows(
                kernels::float_matrix(rows, kKeys, kRank, kRank), {0, kKeys},
                {.values = weights, .count = vectors, .stride = kKeys, .picked = {}},
                {.values = out, .stride = kRank});
        }
    }
};

QTEST_APPLESS_MAIN(BenchKernels)
#include "bench_kernels.moc"
