#include <QTest>
#include <limits>
#include <set>
#include <string>

#include "tensor/buffer.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

using namespace espalier;

class TestDType : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void every_name_leads_back_to_its_type() {
        std::set<std::string_view> names;
        for (std::size_t i = 0; i < kNumDTypes; ++i) {
            const auto dtype = static_cast<DType>(i);
            const DTypeInfo& row = info(dtype);
            QVERIFY(names.insert(row.name).second);
            QVERIFY(dtype_from_name(row.name) == dtype);
            if (row.ggml_type) QVERIFY(dtype_from_ggml(*row.ggml_type) == dtype);
            if (!row.safetensors_name.empty()) {
                QVERIFY(dtype_from_safetensors(row.safetensors_name) == dtype);
            }
        }
        QVERIFY(dtype_from_name("q4_k") == DType::Q4_K);
        QVERIFY(!dtype_from_name("q4_kk"));
        QVERIFY(!dtype_from_ggml(4));  // removed from ggml
        QVERIFY(!dtype_from_ggml(9));  // Q8_1 is not stored
        QVERIFY(!dtype_from_safetensors(""));
    }

    void blocks_have_the_bytes_of_ggml_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<int>("elements");
        QTest::addColumn<int>("bytes");
        const auto row = [](const char* name, int elements, int bytes) {
            QTest::addRow("%s", name) << QString(name) << elements << bytes;
        };
        row("Q4_0", 32, 18);
        row("Q8_0", 32, 34);
        row("Q2_K", 256, 84);
        row("Q4_K", 256, 144);
        row("Q6_K", 256, 210);
        row("IQ1_S", 256, 50);
        row("MXFP4", 32, 17);
        row("NVFP4", 64, 36);
        row("F8_E4M3", 1, 1);
        row("BF16", 1, 2);
        row("F64", 1, 8);
    }

    void blocks_have_the_bytes_of_ggml() {
        QFETCH(QString, name);
        QFETCH(int, elements);
        QFETCH(int, bytes);
        const DTypeInfo& row = info(dtype_from_name(name.toStdString()).value());
        QCOMPARE(row.block_size, static_cast<std::size_t>(elements));
        QCOMPARE(row.block_bytes, static_cast<std::size_t>(bytes));
    }

    void sizes_are_counted_with_care() {
        constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
        QCOMPARE(num_elements(Shape{}).value(), 1U);
        QCOMPARE(num_elements(Shape{2, 3, 4}).value(), 24U);
        QCOMPARE(num_elements(Shape{kMost, 0, kMost}).value(), 0U);
        QVERIFY(!num_elements(Shape{-1}));
        QVERIFY(!num_elements(Shape{0, -1}));
        QVERIFY(!num_elements(Shape{kMost, 3}));
        QCOMPARE(tensor_bytes(DType::BF16, Shape{3, 5}).value(), 30U);
        QCOMPARE(tensor_bytes(DType::Q8_0, Shape{2, 64}).value(), 136U);
        QVERIFY(!tensor_bytes(DType::Q8_0, Shape{64, 2}));
        QVERIFY(!tensor_bytes(DType::Q8_0, Shape{}));
        QVERIFY(!tensor_bytes(DType::F32, Shape{kMost}));
        QCOMPARE(shape_text(Shape{64, 2048}).c_str(), "[64, 2048]");
    }

    void buffers_are_aligned_for_vectors() {
        const Buffer<float> buffer(7);
        QCOMPARE(buffer.size(), std::size_t{7});
        QCOMPARE(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64, std::uintptr_t{0});
        QVERIFY(Buffer<float>().span().empty());
    }
};

QTEST_APPLESS_MAIN(TestDType)
#include "tst_dtype.moc"
