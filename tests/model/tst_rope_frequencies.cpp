#include <QTest>
#include <cmath>
#include <vector>

#include "model/rope_frequencies.h"

using namespace espalier;

namespace {

/// theta 16 over eight dimensions: the frequencies without scaling are 1, 1/2, 1/4, 1/8.
RopeConfig rope(const RopeScaling& scaling) {
    return {.theta = 16.0, .rotated_dims = 8, .scaling = scaling};
}

RopeScaling yarn(bool truncate) {
    return {.kind = RopeScalingKind::Yarn,
            .factor = 4.0,
            .original_context = 64,
            .beta_fast = 4.0,
            .beta_slow = 1.0,
            .truncate = truncate};
}

/// Full turns within a context of 64: 10.19, 5.09, 2.55, 1.27.
RopeScaling llama3(double low, double high) {
    return {.kind = RopeScalingKind::Llama3,
            .factor = 8.0,
            .original_context = 64,
            .low_freq_factor = low,
            .high_freq_factor = high};
}

}  // namespace

class TestRopeFrequencies : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void follow_the_formulas_data() {
        QTest::addColumn<std::vector<double>>("expected");
        QTest::addColumn<int>("row");
        const auto add = [this](const char* name, const RopeConfig& config,
                                const std::vector<double>& expected) {
            QTest::addRow("%s", name) << expected << static_cast<int>(configs_.size());
            configs_.push_back(config);
        };
        configs_.clear();
        add("none", rope({}), {1.0, 0.5, 0.25, 0.125});
        add("linear", rope({.kind = RopeScalingKind::Linear, .factor = 4.0}),
            {0.25, 0.125, 0.0625, 0.03125});
        // Corners 8 ln(64 / 8 pi) / (2 ln 16) = 1.3485 and 3.3485, rounded outwards 1 and 4.
        add("yarn", rope(yarn(false)), {1.0, 0.5, 0.18892223786197013, 0.047586118930985064});
        add("yarn, whole corners", rope(yarn(true)), {1.0, 0.5, 0.1875, 0.0625});
        // A corner below 0 counts as 0, so that the first pair is never divided.
        RopeConfig wide = rope(yarn(true));
        wide.scaling.beta_fast = 32.0;
        add("yarn, corner cut off", wide, {1.0, 0.5 * 13 / 16, 0.25 * 5 / 8, 0.125 * 7 / 16});
        // Equal corners: the ramp has a width, however small.
        RopeConfig narrow = rope(yarn(false));
        narrow.scaling.beta_slow = narrow.scaling.beta_fast;
        add("yarn, equal corners", narrow, {1.0, 0.5, 0.0625, 0.03125});
        add("llama3, all fast", rope(llama3(0.5, 1.0)), {1.0, 0.5, 0.25, 0.125});
        add("llama3, all slow", rope(llama3(20.0, 40.0)), {0.125, 0.0625, 0.03125, 0.015625});
        // 64 / (4 * 2 pi) = 2.5465 turns lie at 0.51549 between 2 and 3.06; 1.27 are below.
        const double share = (64.0 * 0.25 / (2.0 * M_PI) - 2.0) / (3.0 - 2.0);
        add("llama3, between", rope(llama3(2.0, 3.0)),
            {1.0, 0.5, 0.25 * share + 0.25 / 8 * (1 - share), 0.125 / 8});
    }

    void follow_the_formulas() {
        QFETCH(std::vector<double>, expected);
        QFETCH(int, row);
        const auto actual = rope_frequencies(configs_[static_cast<std::size_t>(row)]);
        QCOMPARE(actual.size(), expected.size());
        for (std::size_t i = 0; i < actual.size(); ++i) {
            // A handful of roundings in double.
            QVERIFY2(std::abs(actual[i] - expected[i]) <= 1e-14 * expected[i],
                     qPrintable(QString("pair %1: %2 is not %3")
                                    .arg(i)
                                    .arg(actual[i], 0, 'g', 17)
                                    .arg(expected[i], 0, 'g', 17)));
        }
    }

    void only_the_rotated_part_has_frequencies() {
        QCOMPARE(rope_frequencies({.theta = 1e4, .rotated_dims = 2}).size(), std::size_t{1});
        QVERIFY(rope_frequencies({.theta = 1e4, .rotated_dims = 0}).empty());
    }

private:
    std::vector<RopeConfig> configs_;
};

QTEST_APPLESS_MAIN(TestRopeFrequencies)
#include "tst_rope_frequencies.moc"
