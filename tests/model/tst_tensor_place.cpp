#include <QTest>
#include <cmath>
#include <span>
#include <vector>

#include "model/row_places.h"
#include "model/tensor_place.h"

using namespace espalier;

namespace {

using Places = std::vector<std::int32_t>;
using Values = std::vector<float>;

/// Two key heads of one row each in q and k; two value heads for each, of two rows.
MoeConfig delta_config() {
    MoeConfig config;
    config.delta_net = {
        .num_key_heads = 2, .num_value_heads = 4, .key_dim = 1, .value_dim = 2, .kernel = 4};
    return config;
}

/// Two heads of three key rows and one value row; two heads of four rows for rotary pairs.
MoeConfig attention_config() {
    MoeConfig config;
    config.attention.num_heads = 2;
    config.attention.head_dim = 4;
    config.attention.latent = {.rank = 2, .nope_dim = 3, .rope_dim = 2, .value_dim = 1};
    return config;
}

/// A float32 tensor in memory.
struct Tensor {
    Tensor(Shape of, Values v) : values(std::move(v)), shape(std::move(of)) {}
    TensorView view() const { return {DType::F32, shape, std::as_bytes(std::span(values))}; }
    Values values;
    Shape shape;
};

Values decoded(const TensorPlace& place, const MoeConfig& config = {}) {
    Values out(*num_elements(place.shape));
    decode(place, config, out);
    return out;
}

}  // namespace

class TestTensorPlace : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void rows_lie_where_the_order_says_data() {
        QTest::addColumn<int>("order");
        QTest::addColumn<int>("rows");
        QTest::addColumn<int>("stored");
        QTest::addColumn<Places>("expected");
        const auto row = [](const char* name, RowOrder order, int rows, int stored,
                            const Places& expected) {
            QTest::addRow("%s", name) << static_cast<int>(order) << rows << stored << expected;
        };
        using enum RowOrder;
        row("as named", AsNamed, 3, 3, {});
        row("rotary pairs", RotaryPairs, 8, 8, {0, 2, 1, 3, 4, 6, 5, 7});
        row("first half", FirstHalf, 2, 4, {});
        row("second half", SecondHalf, 2, 4, {2, 3});
        row("even", EvenRows, 3, 6, {0, 2, 4});
        row("odd", OddRows, 3, 6, {1, 3, 5});
        // Each key head: q, k, four rows of v, four rows of z.
        row("key groups, qkv", KeyGroupQkv, 12, 20, {0, 10, 1, 11, 2, 3, 4, 5, 12, 13, 14, 15});
        row("key groups, z", KeyGroupZ, 8, 20, {6, 7, 8, 9, 16, 17, 18, 19});
        row("key groups, beta", KeyGroupBeta, 4, 8, {0, 1, 4, 5});
        row("key groups, decay", KeyGroupDecay, 4, 8, {2, 3, 6, 7});
        row("keys of heads", HeadKeys, 6, 8, {0, 1, 2, 4, 5, 6});
        row("values of heads", HeadValues, 2, 8, {3, 7});
        // Value heads 0, 1 of key head 0 and 2, 3 of key head 1 lie as 0, 2, 1, 3.
        row("turned heads", TurnedHeads, 4, 4, {0, 2, 1, 3});
        row("turned values", TurnedValues, 8, 8, {0, 1, 4, 5, 2, 3, 6, 7});
        row("turned qkv", TurnedQkv, 12, 12, {0, 1, 2, 3, 4, 5, 8, 9, 6, 7, 10, 11});
    }

    void rows_lie_where_the_order_says() {
        QFETCH(int, order);
        QFETCH(int, rows);
        QFETCH(int, stored);
        QFETCH(Places, expected);
        MoeConfig config = attention_config();
        config.delta_net = delta_config().delta_net;
        QCOMPARE(row_places(static_cast<RowOrder>(order), rows, config), expected);
        QCOMPARE(stored_rows(static_cast<RowOrder>(order), rows, config), std::int64_t{stored});
    }

    void picks_rows() {
        const Tensor tensor({4, 2}, {0, 1, 10, 11, 20, 21, 30, 31});
        QCOMPARE(decoded({tensor.view(), RowOrder::OddRows, TensorForm::Plain, {}, {2, 2}}),
                 (Values{10, 11, 30, 31}));
    }

    void picks_elements_of_vectors() {
        const Tensor tensor({4}, {5, 6, 7, 8});
        QCOMPARE(decoded({tensor.view(), RowOrder::EvenRows, TensorForm::Plain, {}, {2}}),
                 (Values{5, 7}));
    }

    void turns_matrices() {
        // [in 2, out 4]: rows of the tensor are the odd columns.
        const Tensor tensor({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
        QCOMPARE(decoded({tensor.view(), RowOrder::OddRows, TensorForm::Transposed, {}, {2, 2}}),
                 (Values{2, 6, 4, 8}));
    }

    void turns_each_head() {
        // [heads 2, rank 2, nope 3]
        const Tensor tensor({2, 2, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
        QCOMPARE(
            decoded({tensor.view(), RowOrder::AsNamed, TensorForm::TransposedHeads, {}, {6, 2}},
                    attention_config()),
            (Values{1, 4, 2, 5, 3, 6, 7, 10, 8, 11, 9, 12}));
    }

    void takes_columns_in_their_order() {
        const Tensor tensor({1, 8}, {0, 1, 2, 3, 4, 5, 6, 7});
        QCOMPARE(decoded({tensor.view(), RowOrder::AsNamed, TensorForm::TurnedColumns, {}, {1, 8}},
                         delta_config()),
                 (Values{0, 1, 4, 5, 2, 3, 6, 7}));
    }

    void undoes_what_was_done_to_values() {
        const Tensor norm({3}, {-1.0F, 0.0F, 0.25F});
        QCOMPARE(decoded({norm.view(), RowOrder::AsNamed, TensorForm::MinusOne, {}, {3}}),
                 (Values{0.0F, 1.0F, 1.25F}));
        const Tensor decay({2}, {-1.0F, -std::exp(2.0F)});
        const Values logs =
            decoded({decay.view(), RowOrder::AsNamed, TensorForm::MinusExp, {}, {2}});
        QCOMPARE(logs[0], 0.0F);
        QVERIFY(std::abs(logs[1] - 2.0F) < 1e-6F);
    }

    void multiplies_each_square_by_its_factor() {
        // 129 rows of 130 columns make 2 x 2 squares; E4M3 0x38 is 1, 0xC0 is -2.
        std::vector<std::byte> codes(129 * 130, std::byte{0x38});
        codes.back() = std::byte{0xC0};
        const Tensor scales({2, 2}, {1.0F, 0.5F, 3.0F, 8.0F});
        const TensorPlace place{{DType::F8E4M3, {129, 130}, codes},
                                RowOrder::AsNamed,
                                TensorForm::Plain,
                                scales.view(),
                                {129, 130}};
        QVERIFY(!has_plain_rows(place));
        const Values values = decoded(place);
        QCOMPARE(values[0], 1.0F);
        QCOMPARE(values[127], 1.0F);
        QCOMPARE(values[128], 0.5F);
        QCOMPARE(values[127 * 130 + 129], 0.5F);
        QCOMPARE(values[128 * 130], 3.0F);
        QCOMPARE(values.back(), -16.0F);
    }

    void reads_pairs_of_blocks_and_scales() {
        // Two rows of 32; the odd one is asked for. Byte j holds values 2j (low) and 2j + 1.
        std::vector<std::byte> blocks(32, std::byte{0x77});
        blocks[16] = std::byte{0x21};  // codes 1 and 2: 0.5 and 1
        blocks[17] = std::byte{0xF8};  // codes 8 and 15: -0 and -6
        blocks[31] = std::byte{0x65};  // codes 5 and 6: 3 and 4
        const std::vector<std::byte> scales{std::byte{127}, std::byte{128}};
        const TensorPlace place{{DType::U8, {2, 1, 16}, blocks},
                                RowOrder::OddRows,
                                TensorForm::Mxfp4Pair,
                                {DType::U8, {2, 1}, scales},
                                {1, 32}};
        const Values values = decoded(place);
        QCOMPARE(values[0], 1.0F);
        QCOMPARE(values[1], 2.0F);
        QVERIFY(values[2] == 0.0F && std::signbit(values[2]));
        QCOMPARE(values[3], -12.0F);
        QCOMPARE(values[4], 12.0F);
        QCOMPARE(values[30], 6.0F);
        QCOMPARE(values[31], 8.0F);
    }

    void only_plain_bytes_are_rows() {
        const Tensor tensor({2, 2}, {1, 2, 3, 4});
        TensorPlace place{tensor.view(), RowOrder::AsNamed, TensorForm::Plain, {}, {2, 2}};
        QVERIFY(has_plain_rows(place));
        place.form = TensorForm::Heads;
        QVERIFY(has_plain_rows(place));
        for (const TensorForm form :
             {TensorForm::Transposed, TensorForm::TransposedHeads, TensorForm::TurnedColumns,
              TensorForm::MinusOne, TensorForm::MinusExp, TensorForm::Mxfp4Pair}) {
            place.form = form;
            QVERIFY(!has_plain_rows(place));
        }
    }
};

QTEST_APPLESS_MAIN(TestTensorPlace)
#include "tst_tensor_place.moc"
