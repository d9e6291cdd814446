#include <QTemporaryDir>
#include <QTest>
#include <filesystem>

#include "base/atomic_file.h"
#include "base/error.h"
#include "calib/calibration_windows.h"
#include "support/error_of.h"
#include "support/linked_model.h"

using namespace espalier;
namespace fs = std::filesystem;

namespace {

TokenWindows windows_of(const std::vector<std::size_t>& lengths) {
    TokenWindows windows;
    windows.tasks = {"a", "b"};
    for (std::size_t i = 0; i < lengths.size(); ++i) {
        windows.windows.emplace_back(lengths[i], 1);
        windows.task_of_window.push_back(i < lengths.size() / 2 ? 0 : 1);
    }
    return windows;
}

}  // namespace

class TestCalibrationWindows : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void batches_hold_whole_windows() {
        const auto batches = cut_micro_batches(windows_of({2048, 2048, 100, 5000, 7}));
        QCOMPARE(batches.size(), 4U);
        QCOMPARE(batches[0].num_windows, 2U);
        QCOMPARE(batches[0].num_tokens, 4096);
        QCOMPARE(batches[1].num_tokens, 100);
        QCOMPARE(batches[2].num_tokens, 5000);  // longer than a batch: alone
        QCOMPARE(batches[3].first_row, 4096 + 100 + 5000);
        QCOMPARE(batches[3].first_window, 4U);
    }

    void shards_cover_everything_once() {
        const auto batches = cut_micro_batches(windows_of(std::vector<std::size_t>(31, 2048)));
        std::size_t next = 0;
        for (std::int64_t i = 0; i < 5; ++i) {
            const auto own = shard_of(batches, i, 5);
            QCOMPARE(own.front().first_row, 0);
            for (const MicroBatch& batch : own) {
                QCOMPARE(batch.first_window, next);
                next += batch.num_windows;
            }
        }
        QCOMPARE(next, 31U);
    }

    void messages_are_rendered_with_the_models_special_tokens() {
        const QTemporaryDir dir;
        const fs::path folder = dir.path().toStdString();
        test::link_model(fs::path(ESPALIER_SAMPLE) / "model", folder / "chat",
                         test::chat_files_with_bos());
        const auto model = ModelSource::open(folder / "chat");
        const Tokenizer tokenizer(model->tokenizer_files()->tokenizer);
        write_file(folder / "a.jsonl", R"({"messages": [{"role": "user", "content": "Hi"}]})");
        write_file(folder / "same.txt", "STARTSuser:Hi;");
        CalibrateRequest request;
        request.data = {{.path = folder / "a.jsonl", .task = "chat"}};
        request.probe = "none";
        const CalibrationWindows read = read_calibration_windows(request, *model);
        QCOMPARE(read.windows.windows.front(), tokenizer.encode("STARTSuser:Hi;", false));

        request.probe = (folder / "same.txt").string();  // the same document, written out
        const auto error = test::error_of([&] { read_calibration_windows(request, *model); });
        QVERIFY(error);
        QCOMPARE(error->code(), ErrorCode::DataLine);
    }

    void an_empty_shard_is_refused() {
        const auto batches = cut_micro_batches(windows_of({10, 10}));
        QVERIFY_THROWS_EXCEPTION(Error, shard_of(batches, 0, 2));
    }

    void tags_follow_the_windows() {
        const TokenWindows windows = windows_of({2, 1, 1, 2});
        const auto batches = cut_micro_batches(windows);
        const TokenTags all(windows);
        const auto tags = all.of(batches[0].first_window, batches[0].num_windows);
        QCOMPARE(tags.size(), 6U);
        QCOMPARE(tags[0].task, 0);
        QCOMPARE(tags[0].half, 0);
        QCOMPARE(tags[2].half, 1);
        QCOMPARE(tags[3].task, 1);
        QCOMPARE(tags[5].half, 1);
        QCOMPARE(tags[5].row, 5);
        QCOMPARE(tags[1].position_bin, 4);  // the second of a window of two
        QCOMPARE(tags[5].sample, 5);        // all tokens, as long as they are few
        QCOMPARE(all.place_of(4).window, 3U);
        QCOMPARE(all.place_of(5).position, 1U);
    }

    void samples_are_few_and_the_same_for_every_shard() {
        const TokenWindows windows = windows_of(std::vector<std::size_t>(8, 300));
        const TokenTags all(windows);
        QCOMPARE(all.num_samples(), kProfileSamples);
        const auto together = all.of(0, 8);
        const auto later = TokenTags(windows).of(5, 3);
        std::size_t sampled = 0;
        for (std::size_t i = 0; i < together.size(); ++i) {
            sampled += together[i].sample >= 0 ? 1U : 0U;
            if (i >= 1500) QCOMPARE(together[i].sample, later[i - 1500].sample);
        }
        QCOMPARE(sampled, kProfileSamples);
    }
};

QTEST_APPLESS_MAIN(TestCalibrationWindows)
#include "tst_calibration_windows.moc"
