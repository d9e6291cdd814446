#include <QTest>
#include <filesystem>
#include <numeric>
#include <stop_token>
#include <vector>

#include "base/cancel.h"
#include "base/thread_pool.h"
#include "eval/repetition.h"
#include "model/model_source.h"

using namespace espalier;

namespace {

std::vector<std::int32_t> counted(std::size_t size) {
    std::vector<std::int32_t> ids(size);
    std::iota(ids.begin(), ids.end(), 0);
    return ids;
}

}  // namespace

class TestRepetition : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void what_never_comes_again_is_no_loop() {
        QCOMPARE(loop_rate({}), 0.0);
        QCOMPARE(loop_rate(counted(5)), 0.0);
        QCOMPARE(loop_rate(counted(100)), 0.0);
    }

    void a_loop_counts_from_its_second_time() {
        // Eleven different tokens, three times: 26 sequences of eight, the first eleven are new.
        std::vector<std::int32_t> ids = counted(11);
        for (int time = 0; time < 2; ++time) {
            const auto once = counted(11);
            ids.insert(ids.end(), once.begin(), once.end());
        }
        QCOMPARE(loop_rate(ids), 15.0 / 26.0);
        QCOMPARE(loop_rate(std::vector<std::int32_t>(15, 7)), 7.0 / 8.0);
    }

    void a_model_writes_the_same_each_time() {
        const auto source = ModelSource::open(std::filesystem::path(ESPALIER_SAMPLE) / "model");
        const Tokenizer tokenizer(source->tokenizer_files()->tokenizer);
        ThreadPool pool(2);
        NativeModel model(*source, pool);
        std::vector<double> shares;
        RepetitionOptions options{.tokens = 48};
        options.progress = [&](double share) { shares.push_back(share); };
        const Repetition first = measure_repetition(model, tokenizer, options);
        QCOMPARE(shares.size(), std::size_t{8});
        QCOMPARE(shares.back(), 1.0);
        QVERIFY(first.tokens > 8 && first.tokens <= 8 * 48);
        QVERIFY(first.loop_rate < 0.2);
        QVERIFY(first.worst >= first.loop_rate);
        const Repetition again = measure_repetition(model, tokenizer, options);
        QCOMPARE(again.loop_rate, first.loop_rate);
        QCOMPARE(again.tokens, first.tokens);
    }

    void writing_stops_when_told_to() {
        const auto source = ModelSource::open(std::filesystem::path(ESPALIER_SAMPLE) / "model");
        const Tokenizer tokenizer(source->tokenizer_files()->tokenizer);
        ThreadPool pool(1);
        NativeModel model(*source, pool);
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_THROWS_EXCEPTION(Cancelled,
                                 measure_repetition(model, tokenizer, {}, stop.get_token()));
    }
};

QTEST_APPLESS_MAIN(TestRepetition)
#include "tst_repetition.moc"
