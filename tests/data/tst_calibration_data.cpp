#include <QTemporaryDir>
#include <QTest>
#include <fstream>

#include "base/cancel.h"
#include "base/error.h"
#include "data/dataset.h"
#include "data/token_windows.h"

using namespace espalier;

namespace {

Tokenizer sample_tokenizer() {
    return Tokenizer(read_json_file(ESPALIER_SAMPLE "/model/tokenizer.json"));
}

DataSource sample_text(const char* name, double weight = 1.0) {
    return {std::string(ESPALIER_SAMPLE "/calibration/") + name + ".txt", name, weight};
}

CalibrationData make(const std::vector<DataSource>& sources, const WindowOptions& options) {
    return make_calibration_data(sources, sample_tokenizer(), "", options);
}

WeightedTokens tokens(std::string_view task, double weight, int count) {
    return {task, weight, std::vector<TokenId>(static_cast<std::size_t>(count), 7)};
}

using Shares = std::vector<std::int64_t>;

}  // namespace

class CalibrationDataTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void takes_the_first_tokens_of_the_whole_text() {
        const auto data = make({sample_text("python")},
                               {.context = 512, .max_tokens = 65'536, .holds_out_probe = false});
        QCOMPARE(data.calibration.windows.size(), 128U);
        QCOMPARE(data.calibration.num_tokens(), 65'536);
        QVERIFY(data.probe.windows.empty());
        const std::string text = read_documents(sample_text("python"), "").at(0).text;
        const auto ids = sample_tokenizer().encode(text, false);
        for (std::size_t i = 0; i < 65'536; ++i) {
            QCOMPARE(data.calibration.windows[i / 512][i % 512], ids[i]);
        }
    }

    void keeps_the_probe_apart() {
        const auto data = make({sample_text("python"), sample_text("cpp")}, {.context = 512});
        QCOMPARE(data.calibration.tasks, (std::vector<std::string>{"python", "cpp"}));
        QCOMPARE(data.probe.tasks, data.calibration.tasks);
        const double share = static_cast<double>(data.probe.num_tokens()) /
                             static_cast<double>(data.calibration.num_tokens());
        QVERIFY2(share > 0.08 && share < 0.14, qPrintable(QString::number(share)));
        QCOMPARE(data.calibration.task_of_window.size(), data.calibration.windows.size());
        QCOMPARE(data.calibration.task_of_window.back(), 1);
    }

    void limits_the_probe() {
        const auto data = make({sample_text("python")}, {.context = 100, .max_probe_tokens = 250});
        QCOMPARE(data.probe.num_tokens(), 250);
        QCOMPARE(data.probe.windows.size(), 3U);
        QCOMPARE(data.probe.windows.back().size(), 50U);
    }

    void hashes_what_was_read() {
        const WindowOptions small{.context = 64, .max_tokens = 640};
        const auto hash = make({sample_text("python")}, small).data_hash;
        QCOMPARE(hash.size(), 64U);
        QCOMPARE(make({sample_text("python")}, small).data_hash, hash);
        QVERIFY(make({sample_text("cpp")}, small).data_hash != hash);
        QVERIFY(make({sample_text("python", 2.0)}, small).data_hash != hash);
    }

    void shares_the_budget_by_weight() {
        const std::vector<WeightedTokens> plenty{tokens("a", 1, 1000), tokens("b", 3, 1000)};
        QCOMPARE(share_budget(plenty, 100), (Shares{25, 75}));
        QCOMPARE(share_budget(plenty, 0), (Shares{1000, 1000}));
        QCOMPARE(share_budget(plenty, 5000), (Shares{1000, 1000}));
        const std::vector<WeightedTokens> thirds{tokens("a", 1, 90), tokens("b", 1, 90),
                                                 tokens("c", 1, 90)};
        QCOMPARE(share_budget(thirds, 100), (Shares{33, 34, 33}));
    }

    void passes_on_what_a_short_source_cannot_give() {
        const std::vector<WeightedTokens> sources{tokens("a", 1, 10), tokens("b", 1, 1000),
                                                  tokens("c", 1, 40), tokens("d", 0, 1000)};
        QCOMPARE(share_budget(sources, 150), (Shares{10, 100, 40, 0}));
        QCOMPARE(share_budget({}, 10), Shares{});
    }

    void joins_sources_of_one_task() {
        const std::vector<WeightedTokens> sources{tokens("a", 1, 3), tokens("b", 1, 2),
                                                  tokens("a", 1, 4)};
        const TokenWindows windows = cut_windows(sources, share_budget(sources, 0), 5);
        QCOMPARE(windows.windows.size(), 3U);
        QCOMPARE(windows.task_of_window, (std::vector<std::int32_t>{0, 0, 1}));
        QCOMPARE(windows.windows[0].size(), 5U);
        QCOMPARE(windows.windows[1].size(), 2U);
        QCOMPARE(windows.num_tokens(), 9);
    }

    void refuses_settings_that_make_no_windows() {
        QVERIFY_THROWS_EXCEPTION(Error, make({sample_text("python")}, {.context = 0}));
        QVERIFY_THROWS_EXCEPTION(Error, make({sample_text("python")}, {.max_tokens = -1}));
        QVERIFY_THROWS_EXCEPTION(Error, make({sample_text("python", -1)}, {}));
        QVERIFY_THROWS_EXCEPTION(Error, make({sample_text("python", 0)}, {}));
        QVERIFY_THROWS_EXCEPTION(Error, make({}, {}));
    }

    void stops_when_asked() {
        std::stop_source source;
        source.request_stop();
        const std::vector<DataSource> data{sample_text("python")};
        QVERIFY_THROWS_EXCEPTION(
            Cancelled, make_calibration_data(data, sample_tokenizer(), "", {}, source.get_token()));
    }
};

QTEST_APPLESS_MAIN(CalibrationDataTest)
#include "tst_calibration_data.moc"
