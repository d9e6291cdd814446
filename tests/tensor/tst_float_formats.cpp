#include <QTest>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "tensor/float_formats.h"

using namespace espalier;

namespace {

/// The definition, in double, of a format with sign, exponent and mantissa.
double defined_value(unsigned bits, int exponent_bits, int mantissa_bits) {
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const unsigned mantissa = bits & ((1U << mantissa_bits) - 1);
    const int exponent = static_cast<int>(bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
    const double sign = bits >> (exponent_bits + mantissa_bits) & 1U ? -1.0 : 1.0;
    const double fraction = mantissa * std::pow(2.0, -mantissa_bits);
    return exponent == 0 ? sign * fraction * std::pow(2.0, 1 - bias)
                         : sign * (1.0 + fraction) * std::pow(2.0, exponent - bias);
}

bool same_bits(float a, double b) {
    return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(static_cast<float>(b));
}

/// Checks that `encode` rounds what lies between two neighbouring codes to the nearest, ties to
/// even.
template <typename Code, typename Decode, typename Encode>
void check_between(Code low, Decode decode, Encode encode) {
    const auto high = static_cast<Code>(low + 1);
    const float a = decode(low);
    const float b = decode(high);
    const auto middle = static_cast<float>((static_cast<double>(a) + static_cast<double>(b)) / 2);
    QCOMPARE(encode(middle), low % 2 == 0 ? low : high);
    QCOMPARE(encode(std::nextafter(middle, a)), low);
    QCOMPARE(encode(std::nextafter(middle, b)), high);
    QCOMPARE(encode(-middle) & ~(Code{1} << (8 * sizeof(Code) - 1)), low % 2 == 0 ? low : high);
}

}  // namespace

class TestFloatFormats : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void every_f16_has_its_defined_value_and_comes_back() {
        for (unsigned i = 0; i < 65536; ++i) {
            const auto bits = static_cast<std::uint16_t>(i);
            const float value = f16_to_float(bits);
            const bool special = (bits & 0x7C00U) == 0x7C00U;
            if (special && (bits & 0x3FFU) != 0) {
                QVERIFY(std::isnan(value));
                QVERIFY(std::isnan(f16_to_float(float_to_f16(value))));
                continue;
            }
            if (special) {
                QVERIFY(std::isinf(value) && std::signbit(value) == (bits >> 15 != 0));
            } else {
                QVERIFY(same_bits(value, defined_value(bits, 5, 10)));
            }
            QCOMPARE(float_to_f16(value), bits);
        }
    }

    void every_bf16_is_the_upper_half_and_comes_back() {
        for (unsigned i = 0; i < 65536; ++i) {
            const auto bits = static_cast<std::uint16_t>(i);
            const float value = bf16_to_float(bits);
            QCOMPARE(std::bit_cast<std::uint32_t>(value), i << 16);
            const auto expected =
                std::isnan(value) ? static_cast<std::uint16_t>(bits | 0x40U) : bits;
            QCOMPARE(float_to_bf16(value), expected);
        }
    }

    void f16_rounds_to_nearest_even() {
        for (std::uint16_t low = 0; low < 0x7BFF; ++low) {
            check_between<std::uint16_t>(low, f16_to_float, float_to_f16);
        }
    }

    void bf16_rounds_to_nearest_even() {
        // The lowest codes are subnormal floats, whose middles are floats too.
        for (std::uint16_t low = 0; low < 0x7F7F; ++low) {
            check_between<std::uint16_t>(low, bf16_to_float, float_to_bf16);
        }
    }

    void f8_rounds_to_nearest_even() {
        for (std::uint8_t low = 0; low < 0x7E; ++low) {
            check_between<std::uint8_t>(low, f8_e4m3_to_float, float_to_f8_e4m3);
        }
        for (std::uint8_t low = 0; low < 0x7B; ++low) {
            check_between<std::uint8_t>(low, f8_e5m2_to_float, float_to_f8_e5m2);
        }
    }

    void every_f8_e4m3_has_its_defined_value_and_comes_back() {
        for (unsigned i = 0; i < 256; ++i) {
            const auto bits = static_cast<std::uint8_t>(i);
            const float value = f8_e4m3_to_float(bits);
            if ((bits & 0x7F) == 0x7F) {
                QVERIFY(std::isnan(value));
                continue;
            }
            QVERIFY(same_bits(value, defined_value(bits, 4, 3)));
            QCOMPARE(float_to_f8_e4m3(value), bits);
        }
    }

    void every_f8_e5m2_has_its_defined_value_and_comes_back() {
        for (unsigned i = 0; i < 256; ++i) {
            const auto bits = static_cast<std::uint8_t>(i);
            const float value = f8_e5m2_to_float(bits);
            if ((bits & 0x7C) == 0x7C) {
                QVERIFY((bits & 3) != 0 ? std::isnan(value) : std::isinf(value));
                continue;
            }
            QVERIFY(same_bits(value, defined_value(bits, 5, 2)));
            QCOMPARE(float_to_f8_e5m2(value), bits);
        }
    }

    void every_f8_e8m0_is_a_power_of_two() {
        for (unsigned i = 0; i < 255; ++i) {
            QVERIFY(same_bits(f8_e8m0_to_float(static_cast<std::uint8_t>(i)),
                              std::ldexp(1.0, static_cast<int>(i) - 127)));
        }
        QVERIFY(std::isnan(f8_e8m0_to_float(255)));
    }

    void what_is_too_large_becomes_infinity_or_saturates() {
        const float infinity = std::numeric_limits<float>::infinity();
        QCOMPARE(float_to_f16(65519.0F), std::uint16_t{0x7BFF});
        QCOMPARE(float_to_f16(65520.0F), std::uint16_t{0x7C00});
        QCOMPARE(float_to_f16(-1e30F), std::uint16_t{0xFC00});
        QCOMPARE(float_to_bf16(std::numeric_limits<float>::max()), std::uint16_t{0x7F80});
        for (const float huge : {448.1F, 1e30F, infinity}) {
            QCOMPARE(float_to_f8_e4m3(huge), std::uint8_t{0x7E});
            QCOMPARE(float_to_f8_e4m3(-huge), std::uint8_t{0xFE});
        }
        for (const float huge : {57345.0F, 1e30F, infinity}) {
            QCOMPARE(float_to_f8_e5m2(huge), std::uint8_t{0x7B});
            QCOMPARE(float_to_f8_e5m2(-huge), std::uint8_t{0xFB});
        }
    }

    void nan_stays_nan() {
        const float nan = std::numeric_limits<float>::quiet_NaN();
        QVERIFY(std::isnan(f16_to_float(float_to_f16(nan))));
        QVERIFY(std::isnan(bf16_to_float(float_to_bf16(nan))));
        QVERIFY(std::isnan(f8_e4m3_to_float(float_to_f8_e4m3(nan))));
        QVERIFY(std::isnan(f8_e5m2_to_float(float_to_f8_e5m2(nan))));
        QVERIFY(std::isnan(bf16_to_float(float_to_bf16(std::bit_cast<float>(0x7F800001U)))));
    }
};

QTEST_APPLESS_MAIN(TestFloatFormats)
#include "tst_float_formats.moc"
