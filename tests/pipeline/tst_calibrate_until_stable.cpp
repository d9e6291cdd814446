#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <stop_token>
#include <vector>

#include "base/atomic_file.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/rng.h"
#include "calib/calibration_windows.h"
#include "pipeline/calibrate_until_stable.h"

using namespace espalier;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMicroBatch = kMicroBatchTokens;
constexpr std::size_t kWindow = 512;
constexpr std::size_t kWindowsOfBatch = kMicroBatch / kWindow;

}  // namespace

class TestCalibrateUntilStable : public QObject {
    Q_OBJECT

private:
    QTemporaryDir m_folder;

    fs::path path(const char* name) const { return fs::path(m_folder.path().toStdString()) / name; }

    /// Nine micro-batches: of the same tokens each, or of others.
    CalibrateRequest request(bool isSame, const char* out) const {
        const fs::path ids = path(isSame ? "same.json" : "other.json");
        if (!fs::exists(ids)) {
            Rng rng(3);
            std::vector<std::vector<std::int32_t>> windows;
            for (std::size_t w = 0; w < 9 * kWindowsOfBatch; ++w) {
                if (isSame && w >= kWindowsOfBatch) {
                    windows.push_back(windows[w - kWindowsOfBatch]);
                    continue;
                }
                auto& window = windows.emplace_back(kWindow);
                // Later windows speak of ever less: the choice goes on changing.
                const std::uint64_t words = isSame ? 128 : 128 - w;
                for (auto& id : window) id = static_cast<std::int32_t>(rng.below(words));
            }
            write_file(ids, Json(windows).dump());
        }
        CalibrateRequest request;
        request.model = fs::path(ESPALIER_TEST_DATA) / "models/qwen3_moe-basic";
        request.ids = ids;
        request.context = kWindow;
        request.stats = "all";
        request.out = path(out);
        request.num_threads = 2;
        return request;
    }

    static void compare(const std::vector<double>& a, const std::vector<double>& b) {
        QCOMPARE(a.size(), b.size());
        for (std::size_t i = 0; i < a.size(); ++i) {
            QVERIFY(std::abs(a[i] - b[i]) <= 1e-6 * std::max(1.0, std::abs(b[i])));
        }
    }

private Q_SLOTS:
    void ends_where_more_text_changes_nothing() {
        std::vector<double> shares;
        const CalibrateSinks sinks{
            .progress = [&](double share, const std::string&) { shares.push_back(share); },
            .layer = {}};
        const CalibrateResult result =
            calibrate_until_stable(request(true, "early.safetensors"), 0.5, sinks, {});
        // Two of nine batches in the first step, one more in the second.
        QCOMPARE(result.metrics.at("tokens").get<std::size_t>(), 3 * kMicroBatch);
        QCOMPARE(result.metrics.at("stability").get<double>(), 1.0);
        QVERIFY(std::abs(result.metrics.at("share_read").get<double>() - 3.0 / 9) < 1e-12);
        QVERIFY(std::is_sorted(shares.begin(), shares.end()) && shares.back() <= 3.0 / 9 + 1e-9);
        const ExpertStats stats = load_expert_stats(result.out, true);
        QCOMPARE(stats.total_tokens(), static_cast<std::int64_t>(3 * kMicroBatch));
        QVERIFY(!stats.settings.contains("shard"));
        QVERIFY(!fs::exists(path("early.safetensors.doublings")));
    }

    void read_to_the_end_it_is_what_one_call_measures() {
        // No two steps agree to keep the same eleven of twelve in every layer for long.
        const CalibrateRequest asked = request(false, "doublings.safetensors");
        const CalibrateResult result = calibrate_until_stable(asked, 0.5, {}, {});
        CalibrateRequest at_once = request(false, "at_once.safetensors");
        calibrate(at_once, {}, {});
        const ExpertStats sum = load_expert_stats(asked.out, true);
        const ExpertStats whole = load_expert_stats(at_once.out, true);
        if (sum.total_tokens() != whole.total_tokens()) QFAIL("the choice was stable too early");
        QCOMPARE(sum.layers.size(), whole.layers.size());
        for (const auto& [index, layer] : whole.layers) {
            const LayerStats& other = sum.layers.at(index);
            QCOMPARE(other.count, layer.count);
            QCOMPARE(other.doubling_count, layer.doubling_count);
            compare(other.gated_norm_sum, layer.gated_norm_sum);
            compare(other.substitution_sum, layer.substitution_sum);
            compare(other.input_sample, layer.input_sample);
            compare(other.router_profile, layer.router_profile);
        }
        QCOMPARE(sum.input_energies.size(), whole.input_energies.size());
    }

    void goes_on_where_it_was_stopped() {
        const CalibrateRequest asked = request(false, "stopped.safetensors");
        std::stop_source stop;
        const CalibrateSinks sinks{.progress =
                                       [&](double share, const std::string&) {
                                           if (share > 0.6) stop.request_stop();
                                       },
                                   .layer = {}};
        QVERIFY_THROWS_EXCEPTION(Cancelled,
                                 calibrate_until_stable(asked, 0.5, sinks, stop.get_token()));
        QVERIFY(!fs::exists(asked.out));
        std::vector<double> shares;
        const CalibrateSinks watching{
            .progress = [&](double share, const std::string&) { shares.push_back(share); },
            .layer = {}};
        calibrate_until_stable(asked, 0.5, watching, {});
        QVERIFY(shares.front() > 0.5);  // what was finished is not measured again
        const ExpertStats stats = load_expert_stats(asked.out, true);
        const ExpertStats before = load_expert_stats(path("doublings.safetensors"), true);
        QVERIFY(stats.layers == before.layers);
    }

    void refuses_what_makes_no_sense() {
        CalibrateRequest asked = request(true, "refused.safetensors");
        QVERIFY_THROWS_EXCEPTION(Error, calibrate_until_stable(asked, 1.0, {}, {}));
        asked.shard_count = 2;
        QVERIFY_THROWS_EXCEPTION(Error, calibrate_until_stable(asked, 0.5, {}, {}));
    }
};

QTEST_APPLESS_MAIN(TestCalibrateUntilStable)
#include "tst_calibrate_until_stable.moc"
