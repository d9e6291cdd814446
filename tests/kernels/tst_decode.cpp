#include <QTest>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <vector>

#include "formats/gguf_reader.h"
#include "formats/safetensors_reader.h"
#include "kernels/decode.h"
#include "kernels/half.h"
#include "tensor/float_formats.h"

using namespace espalier;

namespace {

const std::filesystem::path kQuants = std::filesystem::path(ESPALIER_TEST_DATA) / "gguf/quants";

std::vector<float> decoded(const TensorView& view) {
    std::vector<float> values(num_elements(view.shape).value());
    kernels::decode(view.dtype, view.bytes, values);
    return values;
}

template <typename T>
std::vector<float> decoded_scalars(DType dtype, const std::vector<T>& stored) {
    std::vector<float> values(stored.size());
    kernels::decode(dtype, std::as_bytes(std::span(stored)), values);
    return values;
}

std::vector<std::uint16_t> all_16_bit_codes() {
    std::vector<std::uint16_t> codes(65536);
    for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::uint16_t>(i);
    return codes;
}

bool is_same(float a, float b) {
    return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) ||
           (std::isnan(a) && std::isnan(b));
}

}  // namespace

class TestDecode : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void equals_ggml_bit_for_bit_data() {
        QTest::addColumn<QString>("type");
        for (std::size_t i = 0; i < kNumDTypes; ++i) {
            const auto dtype = static_cast<DType>(i);
            if (!is_block(dtype) && dtype != DType::F16 && dtype != DType::BF16) continue;
            const QString name = QString::fromLatin1(info(dtype).name.data(),
                                                     static_cast<int>(info(dtype).name.size()));
            QTest::addRow("%s", qPrintable(name)) << name;
        }
    }

    void equals_ggml_bit_for_bit() {
        QFETCH(QString, type);
        const std::string name = type.toStdString();
        const GgufFile stored(kQuants / (name + ".gguf"));
        const SafetensorsFile expected(kQuants / (name + ".dequant.safetensors"));
        QVERIFY(!stored.tensors().empty());
        for (const NamedTensor& tensor : stored.tensors()) {
            QVERIFY(kernels::can_decode(tensor.view.dtype));
            const std::vector<float> values = decoded(tensor.view);
            const TensorView* golden = expected.find(tensor.name);
            QVERIFY2(golden != nullptr, tensor.name.c_str());
            QCOMPARE(golden->bytes.size(), values.size() * sizeof(float));
            QVERIFY2(std::memcmp(values.data(), golden->bytes.data(), golden->bytes.size()) == 0,
                     tensor.name.c_str());
        }
    }

    void bf16_rounds_the_float_values_to_nearest_even() {
        const GgufFile stored(kQuants / "Q6_K.gguf");
        const TensorView& view = *stored.find("random_bits");
        const std::vector<float> values = decoded(view);
        std::vector<std::uint16_t> rounded(values.size());
        kernels::decode_to_bf16(view.dtype, view.bytes, rounded);
        for (std::size_t i = 0; i < values.size(); ++i) {
            QCOMPARE(rounded[i], float_to_bf16(values[i]));
        }
    }

    void bf16_to_bf16_is_a_copy() {
        const std::vector<std::uint16_t> stored = all_16_bit_codes();
        std::vector<std::uint16_t> copied(stored.size());
        kernels::decode_to_bf16(DType::BF16, std::as_bytes(std::span(stored)), copied);
        QCOMPARE(copied, stored);
    }

    void every_half_has_its_value() {
        const std::vector<std::uint16_t> codes = all_16_bit_codes();
        const std::vector<float> values = decoded_scalars(DType::F16, codes);
        for (std::size_t i = 0; i < codes.size(); ++i) {
            QVERIFY2(is_same(values[i], f16_to_float(codes[i])), qPrintable(QString::number(i)));
        }
    }

    void every_8_bit_float_has_its_value() {
        std::vector<std::uint8_t> codes(256);
        for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::uint8_t>(i);
        const auto e4m3 = decoded_scalars(DType::F8E4M3, codes);
        const auto e5m2 = decoded_scalars(DType::F8E5M2, codes);
        const auto e8m0 = decoded_scalars(DType::F8E8M0, codes);
        for (std::size_t i = 0; i < codes.size(); ++i) {
            QVERIFY(is_same(e4m3[i], f8_e4m3_to_float(codes[i])));
            QVERIFY(is_same(e5m2[i], f8_e5m2_to_float(codes[i])));
            QVERIFY(is_same(e8m0[i], f8_e8m0_to_float(codes[i])));
        }
    }

    void rounding_to_half_is_nearest_even() {
        // Every half, the midpoints between neighbours and the floats right beside those.
        for (std::uint32_t code = 0; code < 0x7C00; ++code) {
            const float low = f16_to_float(static_cast<std::uint16_t>(code));
            const float high =
                code == 0x7BFF ? 65536.0F : f16_to_float(static_cast<std::uint16_t>(code + 1));
            const float middle = low + (high - low) / 2;
            for (const float value :
                 {low, middle, std::nextafter(middle, 0.0F), std::nextafter(middle, high)}) {
                QCOMPARE(kernels::float_to_half(value), float_to_f16(value));
                QCOMPARE(kernels::float_to_half(-value), float_to_f16(-value));
            }
        }
        const float infinity = std::numeric_limits<float>::infinity();
        for (const float value : {1e-45F, 1e-8F, 70000.0F, 3e38F, infinity}) {
            QCOMPARE(kernels::float_to_half(value), float_to_f16(value));
        }
        QCOMPARE(kernels::float_to_half(std::nanf("")), std::uint16_t{0x7E00});
    }

    void encoding_a_float_type_undoes_decoding_it() {
        const std::vector<std::uint16_t> codes = all_16_bit_codes();
        for (const DType dtype : {DType::F16, DType::BF16}) {
            const std::vector<float> values = decoded_scalars(dtype, codes);
            std::vector<std::uint16_t> again(codes.size());
            kernels::encode_float(dtype, values, std::as_writable_bytes(std::span(again)));
            for (std::size_t i = 0; i < codes.size(); ++i) {
                if (!std::isnan(values[i])) QCOMPARE(again[i], codes[i]);
            }
        }
    }

    void whole_numbers_are_not_decodable() {
        for (const DType dtype : {DType::Bool, DType::U8, DType::I32, DType::I64}) {
            QVERIFY(!kernels::can_decode(dtype));
        }
    }
};

QTEST_APPLESS_MAIN(TestDecode)
#include "tst_decode.moc"
