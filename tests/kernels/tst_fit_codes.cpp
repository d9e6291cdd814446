#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/rng.h"
#include "kernels/each_target.h"
#include "kernels/fit_codes.h"

using namespace espalier;
using namespace espalier::kernels;

namespace {

struct Block {
    std::vector<float> x;
    std::vector<float> w;
};

Block random_block(std::size_t size, std::uint64_t seed) {
    Rng rng(seed);
    Block block;
    for (std::size_t i = 0; i < size; ++i) {
        block.x.push_back(static_cast<float>(rng.normal()));
        block.w.push_back(static_cast<float>(std::exp(rng.normal())));
    }
    return block;
}

/// sum w (x + offset - scale c)^2, the specification in double.
double plain_error(const Block& block, double scale, double offset, double lowest, double highest) {
    double sum = 0;
    for (std::size_t i = 0; i < block.x.size(); ++i) {
        const double shifted = static_cast<double>(block.x[i]) + offset;
        const double code = std::clamp(std::nearbyint(shifted / scale), lowest, highest);
        sum += static_cast<double>(block.w[i]) * std::pow(shifted - scale * code, 2.0);
    }
    return sum;
}

bool is_close(float actual, double expected) {
    return std::abs(static_cast<double>(actual) - expected) <= 1e-4 * std::abs(expected) + 1e-6;
}

void add_sizes() {
    QTest::addColumn<std::size_t>("size");
    for (const std::size_t size : {8, 16, 32, 256}) QTest::addRow("%zu", size) << size;
}

template <typename T>
bool same_bits(const T& a, const T& b) {
    return std::memcmp(&a, &b, sizeof(T)) == 0;
}

}  // namespace

class TestFitCodes : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void sums_are_those_of_the_plain_loop_data() { add_sizes(); }
    void sums_are_those_of_the_plain_loop() {
        QFETCH(std::size_t, size);
        const Block block = random_block(size, 1);
        double wc = 0;
        double wcc = 0;
        double wcx = 0;
        for (std::size_t i = 0; i < size; ++i) {
            const auto code =
                static_cast<double>(nearest_code(3.0F * (block.x[i] + 1.0F), 0.0F, 15.0F));
            const auto weight = static_cast<double>(block.w[i]);
            wc += weight * code;
            wcc += weight * code * code;
            wcx += weight * code * static_cast<double>(block.x[i]);
        }
        for_each_target([&](const std::string& target) {
            const CodeSums sums = code_sums(block.x, block.w, 3.0F, 1.0F, {0.0F, 15.0F});
            QVERIFY2(is_close(sums.wc, wc) && is_close(sums.wcc, wcc) && is_close(sums.wcx, wcx),
                     target.c_str());
        });
    }

    void errors_are_those_of_the_plain_loop_data() { add_sizes(); }
    void errors_are_those_of_the_plain_loop() {
        QFETCH(std::size_t, size);
        const Block block = random_block(size, 2);
        Candidates candidates;
        for (std::size_t k = 0; k < kNumCandidates; ++k) {
            candidates.scales[k] = 0.1F + 0.02F * static_cast<float>(k);
            candidates.offsets[k] = 0.3F * static_cast<float>(k);
        }
        for_each_target([&](const std::string& target) {
            std::array<float, kNumCandidates> errors{};
            candidate_errors(block.x, block.w, candidates, {0.0F, 15.0F}, errors);
            for (std::size_t k = 0; k < kNumCandidates; ++k) {
                const double expected =
                    plain_error(block, static_cast<double>(candidates.scales[k]),
                                static_cast<double>(candidates.offsets[k]), 0.0, 15.0);
                QVERIFY2(is_close(errors[k], expected), target.c_str());
                QVERIFY(is_close(code_error(block.x, block.w, candidates.scales[k],
                                            candidates.offsets[k], {0.0F, 15.0F}),
                                 expected));
            }
        });
    }

    void fits_tell_their_true_error_and_beat_rounding_data() { add_sizes(); }
    void fits_tell_their_true_error_and_beat_rounding() {
        QFETCH(std::size_t, size);
        for (std::uint64_t seed = 0; seed < 50; ++seed) {
            const Block block = random_block(size, seed);
            // Errors are expanded from sums, with the rounding of the largest of them.
            const double rounding = 1e-5 * plain_error(block, 1.0, 0.0, 0.0, 0.0);
            const auto [low, high] = std::minmax_element(block.x.begin(), block.x.end());
            const double min = std::min(static_cast<double>(*low), 0.0);
            const AffineFit affine = fit_affine(block.x, block.w, 15.0F, OffsetSign::NotNegative);
            const double affine_error = plain_error(block, static_cast<double>(affine.scale),
                                                    static_cast<double>(affine.offset), 0.0, 15.0);
            QVERIFY(affine.offset >= 0.0F);
            // The best codes for the fit may be better than those that it was solved for.
            QVERIFY(affine_error <= static_cast<double>(affine.error) * 1.001 + rounding);
            const double step = (static_cast<double>(*high) - min) / 15.0;
            QVERIFY(affine_error <= plain_error(block, step, -min, 0.0, 15.0) * 1.001 + rounding);

            const ScaleFit scale = fit_scale(block.x, block.w, -8.0F);
            const double scale_error =
                plain_error(block, static_cast<double>(scale.scale), 0.0, -8.0, 7.0);
            QVERIFY(scale_error <= static_cast<double>(scale.error) * 1.001 + rounding);
        }
    }

    void a_free_offset_may_have_either_sign() {
        Block block = random_block(32, 5);
        for (float& value : block.x) value = std::fabs(value) + 10.0F;
        QVERIFY(fit_affine(block.x, block.w, 15.0F, OffsetSign::Any).offset < -9.0F);
        QCOMPARE(fit_affine(block.x, block.w, 15.0F, OffsetSign::NotNegative).offset, 0.0F);
    }

    void every_instruction_set_gives_the_same_bits_data() { add_sizes(); }
    void every_instruction_set_gives_the_same_bits() {
        QFETCH(std::size_t, size);
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            const Block block = random_block(size, seed);
            std::vector<AffineFit> affine;
            std::vector<ScaleFit> scale;
            std::vector<CodeSums> sums;
            for_each_target([&](const std::string&) {
                affine.push_back(fit_affine(block.x, block.w, 31.0F, OffsetSign::NotNegative));
                scale.push_back(fit_scale(block.x, block.w, -32.0F));
                sums.push_back(code_sums(block.x, block.w, 7.0F, 0.1F, {-8.0F, 7.0F}));
            });
            for (std::size_t i = 1; i < affine.size(); ++i) {
                QVERIFY(same_bits(affine[i], affine[0]));
                QVERIFY(same_bits(scale[i], scale[0]));
                QVERIFY(same_bits(sums[i], sums[0]));
            }
        }
    }

    void constant_and_empty_blocks_need_no_codes() {
        const std::vector<float> ones(32, 1.0F);
        const std::vector<float> zeros(32, 0.0F);
        QCOMPARE(fit_scale(zeros, ones, -8.0F).scale, 0.0F);
        const AffineFit zero = fit_affine(zeros, ones, 15.0F, OffsetSign::NotNegative);
        QVERIFY(zero.scale == 0.0F && zero.offset == 0.0F && zero.error == 0.0F);
        const AffineFit constant = fit_affine(ones, ones, 15.0F, OffsetSign::NotNegative);
        QVERIFY(constant.error < 1e-5F);
        // Without weights nothing is better than anything else.
        QVERIFY(std::isfinite(fit_affine(ones, zeros, 15.0F, OffsetSign::NotNegative).scale));
        QVERIFY(std::isfinite(fit_scale(ones, zeros, -8.0F).scale));
    }
};

QTEST_APPLESS_MAIN(TestFitCodes)
#include "tst_fit_codes.moc"
