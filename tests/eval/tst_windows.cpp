#include <QTest>
#include <vector>

#include "base/error.h"
#include "eval/windows.h"

using namespace espalier;

class TestWindows : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void separate_windows_score_their_second_half() {
        PerplexityOptions options;
        options.context = 128;
        const auto windows = cut_windows(300, options);
        // Positions 64 to 126: 63 predictions a window, the rest of the text is dropped.
        const std::vector<ScoredWindow> expected{{0, 128, 64}, {128, 128, 64}};
        QCOMPARE(windows, expected);
        QCOMPARE(windows.front().num_scored(), std::int64_t{63});
    }

    void first_scored_position_can_be_chosen() {
        PerplexityOptions options;
        options.context = 512;
        options.first_scored = 255;
        QCOMPARE(cut_windows(512, options).front().num_scored(), std::int64_t{256});
    }

    void sliding_windows_predict_every_token_once_data() {
        QTest::addColumn<int>("tokens");
        QTest::addColumn<int>("context");
        QTest::addColumn<int>("stride");
        QTest::newRow("exact") << 20 << 8 << 4;
        QTest::newRow("shorter last window") << 21 << 8 << 4;
        QTest::newRow("stride 1") << 11 << 8 << 1;
        QTest::newRow("one window") << 8 << 8 << 3;
        QTest::newRow("uneven") << 37 << 10 << 7;
    }
    void sliding_windows_predict_every_token_once() {
        QFETCH(int, tokens);
        QFETCH(int, context);
        QFETCH(int, stride);
        PerplexityOptions options;
        options.context = context;
        options.stride = stride;
        std::vector<int> predicted(static_cast<std::size_t>(tokens), 0);
        for (const auto& window : cut_windows(tokens, options)) {
            QVERIFY(window.begin >= 0 && window.begin + window.length <= tokens);
            QVERIFY(window.first_scored >= 0 && window.num_scored() > 0);
            if (window.begin > 0) QVERIFY(window.first_scored >= context - stride - 1);
            for (std::int64_t at = window.first_scored; at < window.length - 1; ++at) {
                predicted[static_cast<std::size_t>(window.begin + at + 1)] += 1;
            }
        }
        QCOMPARE(predicted.front(), 0);
        for (std::size_t i = 1; i < predicted.size(); ++i) QCOMPARE(predicted[i], 1);
    }

    void number_of_windows_can_be_bounded() {
        PerplexityOptions options;
        options.context = 10;
        options.max_windows = 3;
        QCOMPARE(cut_windows(1000, options).size(), std::size_t{3});
    }

    void smallest_window_still_predicts() {
        PerplexityOptions options;
        options.context = 2;
        QCOMPARE(cut_windows(5, options).front().num_scored(), std::int64_t{1});
    }

    void short_text_is_refused() {
        PerplexityOptions options;
        options.context = 128;
        try {
            cut_windows(127, options);
            QFAIL("accepted");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::DataEmpty);
        }
    }

    void impossible_options_are_refused_data() {
        QTest::addColumn<PerplexityOptions>("options");
        QTest::newRow("one token") << PerplexityOptions{1, 0, -1, 0, -1};
        QTest::newRow("negative stride") << PerplexityOptions{8, -1, -1, 0, -1};
        QTest::newRow("stride of a whole window") << PerplexityOptions{8, 8, -1, 0, -1};
        QTest::newRow("negative number of windows") << PerplexityOptions{8, 0, -1, -1, -1};
        QTest::newRow("scored past the end") << PerplexityOptions{8, 0, -1, 0, 7};
    }
    void impossible_options_are_refused() {
        QFETCH(PerplexityOptions, options);
        QVERIFY_THROWS_EXCEPTION(Error, cut_windows(100, options));
    }
};

QTEST_APPLESS_MAIN(TestWindows)
#include "tst_windows.moc"
