#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/file_hash.h"
#include "calib/calibrate.h"
#include "calib/calibration_windows.h"
#include "calib/own_text.h"
#include "model/model_source.h"

using namespace espalier;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kTokens = 2048;
constexpr std::size_t kContext = 128;
/// More than the texts of any test take: only the share ends them.
constexpr double kEver = 1000;

}  // namespace

class TestOwnText : public QObject {
    Q_OBJECT

private:
    QTemporaryDir m_folder;

    fs::path path(const char* name) const { return fs::path(m_folder.path().toStdString()) / name; }

    CalibrateRequest request() const {
        CalibrateRequest request;
        request.model = fs::path(ESPALIER_SAMPLE) / "model";
        for (const char* task : {"python", "prose"}) {
            request.data.push_back(
                {fs::path(ESPALIER_SAMPLE) / "heldout" / (std::string(task) + ".txt"), task, 1});
        }
        request.max_tokens = kTokens;
        request.context = kContext;
        request.probe = "none";
        request.stats = "basic";
        request.num_threads = 2;
        return request;
    }
    static OwnTextOptions options(double share, double seconds = kEver) {
        OwnTextOptions options;
        options.share = share;
        options.seconds = seconds;
        options.num_threads = 2;
        return options;
    }
    OwnText written(const char* file) const {
        return read_own_text(path(file), ModelSource::open(request().model)->hash());
    }
    ExpertStats measured(CalibrateRequest request, const char* file) const {
        request.out = path(file);
        calibrate(request, {}, {});
        return load_expert_stats(request.out);
    }

private Q_SLOTS:
    void texts_go_on_from_the_data_until_the_share_is_reached() {
        write_own_text(request(), options(0.25), path("quarter.json"), {});
        const OwnText text = written("quarter.json");
        const auto model = ModelSource::open(request().model);
        const TokenWindows data = read_calibration_windows(request(), *model).windows;
        std::int64_t tokens = 0;
        for (std::size_t i = 0; i < text.windows.size(); ++i) {
            const auto& ids = text.windows[i];
            QVERIFY(ids.size() <= kContext);
            tokens += static_cast<std::int64_t>(ids.size());
            const auto source =
                std::find_if(data.windows.begin(), data.windows.end(), [&](const auto& window) {
                    return window.size() >= kContext / 2 &&
                           std::equal(ids.begin(), ids.begin() + kContext / 2, window.begin());
                });
            QVERIFY(source != data.windows.end());
            QVERIFY(*source != ids);  // its own words, not those that were there
            const auto task =
                data.task_of_window[static_cast<std::size_t>(source - data.windows.begin())];
            QCOMPARE(text.task_of_window[i], data.tasks[static_cast<std::size_t>(task)]);
        }
        // A third of the data is a quarter of all; the last text may be longer than what is left.
        const std::int64_t wanted = kTokens / 3;
        QVERIFY(tokens >= wanted && tokens < wanted + static_cast<std::int64_t>(kContext));
    }

    void the_same_call_writes_the_same_and_leaves_it_there() {
        write_own_text(request(), options(0.2), path("once.json"), {});
        write_own_text(request(), options(0.2), path("again.json"), {});
        QCOMPARE(sha256_of_file(path("once.json")), sha256_of_file(path("again.json")));
        const auto time = fs::last_write_time(path("once.json"));
        write_own_text(request(), options(0.2), path("once.json"), {});
        QCOMPARE(fs::last_write_time(path("once.json")), time);
        write_own_text(request(), options(0.1), path("once.json"), {});
        QVERIFY(sha256_of_file(path("once.json")) != sha256_of_file(path("again.json")));
    }

    void time_ends_it() {
        write_own_text(request(), options(0.5, 0.05), path("short.json"), {});
        std::size_t tokens = 0;
        for (const auto& window : written("short.json").windows) tokens += window.size();
        QVERIFY(tokens < static_cast<std::size_t>(kTokens));
    }

    void statistics_are_of_data_and_texts_together() {
        write_own_text(request(), options(0.3), path("third.json"), {});
        CalibrateRequest both = request();
        both.own_text = path("third.json");
        const ExpertStats all = measured(both, "both.safetensors");
        const ExpertStats of_data = measured(request(), "data.safetensors");
        Json ids = Json::array();
        for (const auto& window : written("third.json").windows) ids.push_back(window);
        write_file(path("ids.json"), ids.dump());
        CalibrateRequest own = request();
        own.data.clear();
        own.max_tokens = 0;
        own.ids = path("ids.json");
        const ExpertStats of_texts = measured(own, "texts.safetensors");
        for (const auto& [index, layer] : all.layers) {
            for (std::size_t e = 0; e < layer.count.size(); ++e) {
                QCOMPARE(layer.count[e],
                         of_data.layers.at(index).count[e] + of_texts.layers.at(index).count[e]);
            }
        }
        QCOMPARE(all.settings.at("own_tokens").get<std::int64_t>(), of_texts.layers.at(0).tokens);
        QCOMPARE(all.tasks, of_data.tasks);
        QVERIFY(all.data_hash != of_data.data_hash);
    }

    void texts_are_spread_evenly() {
        TokenWindows windows{
            .windows = {{1}, {2}, {3}, {4}}, .task_of_window = {0, 0, 1, 1}, .tasks = {"a", "b"}};
        insert_own_text({.windows = {{8}, {9}}, .task_of_window = {"b", "a"}}, windows);
        QCOMPARE(windows.windows,
                 (std::vector<std::vector<TokenId>>{{1}, {2}, {8}, {3}, {4}, {9}}));
        QCOMPARE(windows.task_of_window, (std::vector<std::int32_t>{0, 0, 1, 1, 1, 0}));
        QVERIFY_THROWS_EXCEPTION(
            Error, insert_own_text({.windows = {{8}}, .task_of_window = {"c"}}, windows));
    }

    void what_cannot_be_is_refused() {
        const fs::path file = path("refused.json");
        QVERIFY_THROWS_EXCEPTION(Error, write_own_text(request(), options(0.6), file, {}));
        CalibrateRequest ids = request();
        ids.data.clear();
        ids.ids = path("ids.json");
        QVERIFY_THROWS_EXCEPTION(Error, write_own_text(ids, options(0.2), file, {}));
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_THROWS_EXCEPTION(Cancelled,
                                 write_own_text(request(), options(0.2), file, stop.get_token()));
        QVERIFY(!fs::exists(file));
        write_file(file, R"({"notes": "of the user"})");
        QVERIFY_THROWS_EXCEPTION(Error, write_own_text(request(), options(0.2), file, {}));
        QCOMPARE(read_file(file), std::string(R"({"notes": "of the user"})"));
        for (const char* text : {"{}", R"({"model_hash":"x","windows":[]})",
                                 R"({"model_hash":"m","windows":[{"task":"a","ids":[]}]})",
                                 R"({"model_hash":"m","windows":[{"task":"a","ids":["b"]}]})"}) {
            write_file(path("bad.json"), text);
            QVERIFY_THROWS_EXCEPTION(Error, read_own_text(path("bad.json"), "m"));
        }
    }
};

QTEST_GUILESS_MAIN(TestOwnText)
#include "tst_own_text.moc"
