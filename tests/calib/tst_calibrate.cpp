#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>

#include "base/atomic_file.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/file_hash.h"
#include "base/rng.h"
#include "calib/calibrate.h"
#include "calib/calibration_memory.h"
#include "calib/worker_memory.h"
#include "model/model_tensors.h"
#include "nn/golden_model.h"
#include "routing/expert_stats.h"
#include "routing/matrix_name.h"
#include "support/synthetic_model.h"

using namespace espalier;
namespace fs = std::filesystem;

namespace {

class Silent final : public RunObserver {
public:
    void on_event(const RunEvent& /*event*/) override {}
};

/// Keeps events, and asks to stop after the first one that `when` is true for.
class Watcher final : public RunObserver {
public:
    std::vector<RunEvent> events;
    std::stop_source stop;
    std::function<bool(const RunEvent&)> when;

    void on_event(const RunEvent& event) override {
        events.push_back(event);
        if (when && when(event)) stop.request_stop();
    }
    template <typename Event>
    std::vector<Event> of_kind() const {
        std::vector<Event> found;
        for (const RunEvent& event : events) {
            if (const auto* match = std::get_if<Event>(&event)) found.push_back(*match);
        }
        return found;
    }
};

void write_ids(const fs::path& path, const std::vector<std::vector<std::int32_t>>& rows) {
    write_file(path, Json(rows).dump());
}

/// Random windows of `length` tokens, as many as asked for: several micro-batches.
std::vector<std::vector<std::int32_t>> random_rows(std::size_t count, std::size_t length,
                                                   std::uint64_t vocab) {
    Rng rng(7);
    std::vector<std::vector<std::int32_t>> rows(count, std::vector<std::int32_t>(length));
    for (auto& row : rows) {
        for (auto& id : row) id = static_cast<std::int32_t>(rng.below(vocab));
    }
    return rows;
}

/// A model of three layers and data of several micro-batches, in a folder of its own.
struct Case {
    QTemporaryDir folder;
    CalibrateRequest request;

    Case() {
        const fs::path path = folder.path().toStdString();
        test::SyntheticModel shape;
        shape.num_layers = 3;
        test::write_synthetic_model(shape, path / "model");
        write_ids(path / "ids.json", random_rows(30, 400, 128));
        request.model = path / "model";
        request.ids = path / "ids.json";
        request.out = path / "stats.safetensors";
        request.context = 400;
        request.stats = "all";
    }
    fs::path file(const char* name) const { return fs::path(folder.path().toStdString()) / name; }
};

std::string hash_of_result(const fs::path& stats) {
    const fs::path vectors = stats.parent_path() / (stats.stem().string() + ".vectors.safetensors");
    const fs::path contexts = stats.parent_path() / (stats.stem().string() + ".contexts.json");
    return sha256_of_file(stats) + sha256_of_file(vectors) + sha256_of_file(contexts);
}

/// Hash of what Case makes in one go.
const std::string& uninterrupted() {
    static const std::string hash = [] {
        Case test;
        Silent observer;
        calibrate(test.request, observer, {});
        return hash_of_result(test.request.out);
    }();
    return hash;
}

bool is_close(double a, double b, double relative) {
    return std::abs(a - b) <= relative * std::max(std::abs(a), std::abs(b));
}

bool are_close(const std::vector<double>& a, const std::vector<double>& b, double relative) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [&](double x, double y) { return is_close(x, y, relative); });
}

constexpr std::array kBehindMixerNorm{TensorRole::AttentionQ, TensorRole::LatentKvDown,
                                      TensorRole::DeltaQkv, TensorRole::ConvolutionIn};

/// Sum of squares, column by column, of the RMS-normed rows.
std::vector<double> normed_energy(const std::vector<float>& hidden,
                                  const std::vector<float>& weight, double epsilon) {
    std::vector<double> energy(weight.size());
    for (std::size_t row = 0; row < hidden.size(); row += weight.size()) {
        double mean = epsilon;
        for (std::size_t c = 0; c < weight.size(); ++c) {
            const double x = static_cast<double>(hidden[row + c]);
            mean += x * x / static_cast<double>(weight.size());
        }
        for (std::size_t c = 0; c < weight.size(); ++c) {
            const double y = static_cast<double>(hidden[row + c]) * static_cast<double>(weight[c]);
            energy[c] += y * y / mean;
        }
    }
    return energy;
}

}  // namespace

class TestCalibrate : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void saliency_equals_the_reference_data() {
        QTest::addColumn<QString>("name");
        for (const std::string& name : golden_model::cases()) {
            QTest::addRow("%s", name.c_str()) << QString::fromStdString(name);
        }
    }

    void saliency_equals_the_reference() {
        QFETCH(QString, name);
        const fs::path model = golden_model::folder(name.toStdString());
        const QTemporaryDir folder;
        const fs::path path = folder.path().toStdString();
        write_ids(path / "ids.json",
                  golden_model::rows_of_ids(SafetensorsFile(model / "golden.safetensors")));
        Silent observer;
        calibrate({.model = model, .ids = path / "ids.json", .out = path / "stats.safetensors"},
                  observer, {});

        // The file that scripts read, not only what load_expert_stats() makes of it.
        const SafetensorsFile expected(model / "saliency.safetensors");
        const SafetensorsFile stats(path / "stats.safetensors");
        for (const NamedTensor& tensor : expected.tensors()) {
            if (tensor.view.dtype == DType::I64) {
                QCOMPARE(golden_model::integers(stats, tensor.name),
                         golden_model::integers(expected, tensor.name));
                continue;
            }
            const auto values = golden_model::read<double>(stats, tensor.name);
            const auto wanted = golden_model::floats(expected, tensor.name);
            QVERIFY2(are_close(values, {wanted.begin(), wanted.end()}, 1e-4), tensor.name.c_str());
        }
    }

    void input_energies_are_those_of_the_forward_pass() {
        const fs::path model = golden_model::folder("qwen3_moe-basic");
        const SafetensorsFile golden(model / "golden.safetensors");
        const QTemporaryDir folder;
        const fs::path path = folder.path().toStdString();
        write_ids(path / "ids.json", golden_model::rows_of_ids(golden));
        Silent observer;
        calibrate({.model = model, .ids = path / "ids.json", .out = path / "stats.safetensors"},
                  observer, {});
        const ExpertStats stats = load_expert_stats(path / "stats.safetensors", true);

        const InputEnergy& output = stats.input_energies.at("output");
        std::vector<double> expected(output.sq_sum.size());
        const auto rows = golden_model::floats(golden, "final_norm");
        for (std::size_t i = 0; i < rows.size(); ++i) {
            expected[i % expected.size()] +=
                static_cast<double>(rows[i]) * static_cast<double>(rows[i]);
        }
        QVERIFY(are_close(output.sq_sum, expected, 1e-4));
        QCOMPARE(output.tokens, static_cast<std::int64_t>(rows.size() / expected.size()));

        // Every routed token's input counts once for each of its experts.
        const LayerStats& layer = stats.layers.begin()->second;
        const InputEnergy& router = stats.input_energies.at(
            fmt::format("blk.{}.ffn_gate_inp", stats.layers.begin()->first));
        std::vector<double> routed(router.sq_sum.size());
        for (std::size_t i = 0; i < layer.gate_up_input_sq_sum.size(); ++i) {
            routed[i % routed.size()] += layer.gate_up_input_sq_sum[i];
        }
        std::vector<double> by_top_k = router.sq_sum;
        for (double& value : by_top_k) value *= static_cast<double>(stats.top_k);
        QVERIFY(are_close(routed, by_top_k, 1e-6));
    }

    void every_matrix_has_its_energy_data() {
        QTest::addColumn<QString>("name");
        for (const std::string& name : golden_model::cases()) {
            QTest::addRow("%s", name.c_str()) << QString::fromStdString(name);
        }
    }

    void every_matrix_has_its_energy() {
        QFETCH(QString, name);
        const fs::path model = golden_model::folder(name.toStdString());
        const SafetensorsFile golden(model / "golden.safetensors");
        const QTemporaryDir folder;
        const fs::path path = folder.path().toStdString();
        write_ids(path / "ids.json", golden_model::rows_of_ids(golden));
        Silent observer;
        calibrate({.model = model, .ids = path / "ids.json", .out = path / "stats.safetensors"},
                  observer, {});
        const ExpertStats stats = load_expert_stats(path / "stats.safetensors", true);
        const auto source = ModelSource::open(model);
        for (const ModelTensor& tensor : model_tensors(source->config())) {
            const auto matrix = matrix_name(tensor.key);
            if (!matrix) continue;
            QVERIFY2(stats.input_energies.contains(*matrix), matrix->c_str());
            const InputEnergy& energy = stats.input_energies.at(*matrix);
            QCOMPARE(energy.tokens, stats.total_tokens());
            // Queries are what a key's matrix is multiplied with.
            const std::size_t axis = tensor.key.role == TensorRole::LatentKeyUp ? 0 : 1;
            QCOMPARE(static_cast<std::int64_t>(energy.sq_sum.size()), tensor.shape.at(axis));
        }
        // What stands behind the mixer's norm, of which the golden file has the input.
        for (std::int64_t layer = 0; layer < source->config().num_layers(); ++layer) {
            const auto index = static_cast<std::int32_t>(layer);
            const auto found = std::find_if(kBehindMixerNorm.begin(), kBehindMixerNorm.end(),
                                            [&](TensorRole role) {
                                                return source->has({role, index});
                                            });
            QVERIFY(found != kBehindMixerNorm.end());
            std::vector<float> weight(static_cast<std::size_t>(source->config().hidden_size));
            source->decode({TensorRole::AttentionNorm, index}, weight);
            const auto hidden =
                golden_model::floats(golden, fmt::format("hidden_states.{}", layer));
            const InputEnergy& energy =
                stats.input_energies.at(matrix_name({*found, index}).value());
            QVERIFY(are_close(energy.sq_sum,
                              normed_energy(hidden, weight, source->config().rms_norm_eps), 2e-3));
        }
    }

    void reports_layers_and_growing_progress() {
        Case test;
        Watcher watcher;
        const CalibrateResult result = calibrate(test.request, watcher, {});
        QCOMPARE(watcher.of_kind<LayerMeasured>().size(), 3U);
        for (const LayerMeasured& layer : watcher.of_kind<LayerMeasured>()) {
            QCOMPARE(layer.saliency.size(), 4U);
            double load = 0;
            for (const double share : layer.load) load += share;
            QVERIFY(std::abs(load - 1) < 1e-9);
        }
        double last = 0;
        for (const StageProgress& progress : watcher.of_kind<StageProgress>()) {
            QVERIFY(progress.fraction >= last);
            last = progress.fraction;
        }
        QCOMPARE(last, 1.0);
        QCOMPARE(result.metrics.at("tokens").get<int>(), 12000);
        QVERIFY(result.peak_bytes > 0);
        QVERIFY(!fs::exists(test.request.out.string() + ".partial"));
    }

    void same_bytes_whatever_the_threads() {
        Case test;
        Silent observer;
        for (const std::size_t threads : {1U, 3U}) {
            test.request.num_threads = threads;
            calibrate(test.request, observer, {});
            QCOMPARE(hash_of_result(test.request.out), uninterrupted());
        }
    }

    void goes_on_where_it_was_cut_off_data() {
        QTest::addColumn<int>("layers");
        for (const int layers : {0, 1, 2}) QTest::addRow("after %d layers", layers) << layers;
    }

    void goes_on_where_it_was_cut_off() {
        QFETCH(int, layers);
        Case test;
        test.request.num_threads = 2;
        Watcher watcher;
        watcher.when = [&](const RunEvent&) {
            return static_cast<int>(watcher.of_kind<LayerMeasured>().size()) >= layers;
        };
        QVERIFY_THROWS_EXCEPTION(Cancelled,
                                 calibrate(test.request, watcher, watcher.stop.get_token()));
        QVERIFY(!fs::exists(test.request.out));
        Silent observer;
        const CalibrateResult result = calibrate(test.request, observer, {});
        QCOMPARE(hash_of_result(test.request.out), uninterrupted());
        QCOMPARE(result.metrics.at("layers_resumed").get<std::size_t>(),
                 watcher.of_kind<LayerMeasured>().size());
    }

    void a_checkpoint_of_other_settings_is_not_taken_up() {
        Case test;
        Watcher watcher;
        watcher.when = [](const RunEvent& event) {
            return std::holds_alternative<LayerMeasured>(event);
        };
        QVERIFY_THROWS_EXCEPTION(Cancelled,
                                 calibrate(test.request, watcher, watcher.stop.get_token()));
        test.request.context = 200;
        Silent observer;
        const CalibrateResult result = calibrate(test.request, observer, {});
        QCOMPARE(result.metrics.at("layers_resumed").get<int>(), 0);
    }

    void shards_add_up_to_the_whole() {
        Case test;
        Silent observer;
        calibrate(test.request, observer, {});
        ExpertStats whole = load_expert_stats(test.request.out, true);
        load_expert_contexts(test.request.out, whole);
        std::vector<ExpertStats> shards;
        test.request.shard_count = 3;
        for (std::int64_t i = 0; i < 3; ++i) {
            test.request.shard_index = i;
            test.request.out = test.file("shard.safetensors");
            calibrate(test.request, observer, {});
            shards.push_back(load_expert_stats(test.request.out, true));
            load_expert_contexts(test.request.out, shards.back());
        }
        const ExpertStats merged = merge_expert_stats(shards);
        QCOMPARE(merged.layers.size(), whole.layers.size());
        for (const auto& [index, layer] : whole.layers) {
            const LayerStats& sum = merged.layers.at(index);
            QCOMPARE(sum.tokens, layer.tokens);
            QCOMPARE(sum.count, layer.count);
            QCOMPARE(sum.coactivation, layer.coactivation);
            QCOMPARE(sum.gate_histogram, layer.gate_histogram);
            QCOMPARE(sum.half_count, layer.half_count);
            QCOMPARE(sum.task_count, layer.task_count);
            QCOMPARE(sum.max_abs, layer.max_abs);
            QVERIFY(are_close(sum.gate_sum, layer.gate_sum, 1e-12));
            QVERIFY(are_close(sum.norm_sum, layer.norm_sum, 1e-12));
            QVERIFY(are_close(sum.gated_norm_sum, layer.gated_norm_sum, 1e-12));
            QVERIFY(are_close(sum.gated_norm_sq_sum, layer.gated_norm_sq_sum, 1e-12));
            // Long vectors are stored as float32.
            QVERIFY(are_close(sum.down_input_sq_sum, layer.down_input_sq_sum, 1e-6));
            QVERIFY(are_close(sum.gated_gram, layer.gated_gram, 1e-4));  // of either sign
            QVERIFY(are_close(sum.channel_energy, layer.channel_energy, 1e-6));
            QCOMPARE(sum.channel_max_sq, layer.channel_max_sq);
            QCOMPARE(sum.down_column_sq, layer.down_column_sq);
            QCOMPARE(sum.router_profile, layer.router_profile);
            QCOMPARE(sum.input_sample, layer.input_sample);
            QCOMPARE(sum.position_count, layer.position_count);
            QCOMPARE(sum.doubling_count, layer.doubling_count);
            QCOMPARE(sum.top_contexts, layer.top_contexts);
            QVERIFY(are_close(sum.doubling_gated_norm_sum, layer.doubling_gated_norm_sum, 1e-12));
            QVERIFY(are_close(sum.easy_ep_sum, layer.easy_ep_sum, 1e-12));
            QVERIFY(are_close(sum.hidden_sq_sum, layer.hidden_sq_sum, 1e-12));
            QVERIFY(are_close(sum.substitution_sum, layer.substitution_sum, 1e-12));
            QVERIFY(are_close(sum.substitution_sq_sum, layer.substitution_sq_sum, 1e-12));
        }
        for (const auto& [name, energy] : whole.input_energies) {
            QCOMPARE(merged.input_energies.at(name).tokens, energy.tokens);
            QVERIFY(are_close(merged.input_energies.at(name).sq_sum, energy.sq_sum, 1e-6));
        }
    }

    void a_small_budget_changes_nothing_but_the_speed() {
        Case test;
        Silent observer;
        // One worker, and a byte too little for a layer with all of its experts.
        const auto source = ModelSource::open(test.request.model);
        const CalibrationWindows data = read_calibration_windows(test.request, *source);
        const std::uint64_t worker = worker_bytes(
            source->config(), data.windows, cut_micro_batches(data.windows), StatChoice::all());
        test.request.memory_budget =
            kProgramBytes + layer_bytes(*source, 0, ExpertStorage::Held) + worker - 1;
        const CalibrationMemory plan = plan_calibration_memory(
            *source, {.budget = test.request.memory_budget, .worker_bytes = worker});
        QCOMPARE(plan.storage, ExpertStorage::DecodedOnUse);
        QCOMPARE(plan.num_threads, 1U);
        calibrate(test.request, observer, {});
        QCOMPARE(hash_of_result(test.request.out), uninterrupted());
    }

    void says_how_much_memory_it_needs() {
        Case test;
        Silent observer;
        test.request.memory_budget = 1 << 20;
        try {
            calibrate(test.request, observer, {});
            QFAIL("a budget of 1 MiB was accepted");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::MemoryExceeded);
        }
    }

    void refuses_what_cannot_be_data() {
        Case test;
        Silent observer;
        write_file(test.request.ids, "[[1, 2], [3, \"x\"]]");
        QVERIFY_THROWS_EXCEPTION(Error, calibrate(test.request, observer, {}));
        write_file(test.request.ids, "[[1, 128]]");
        QVERIFY_THROWS_EXCEPTION(Error, calibrate(test.request, observer, {}));
        write_file(test.request.ids, "[[]]");
        QVERIFY_THROWS_EXCEPTION(Error, calibrate(test.request, observer, {}));
        write_ids(test.request.ids, {{1, 2}});
        test.request.shard_count = 2;
        QVERIFY_THROWS_EXCEPTION(Error, calibrate(test.request, observer, {}));
        test.request.shard_index = 2;
        QVERIFY_THROWS_EXCEPTION(Error, calibrate(test.request, observer, {}));
    }

    void the_budget_of_tokens_is_kept() {
        Case test;
        Silent observer;
        test.request.max_tokens = 1300;
        const CalibrateResult result = calibrate(test.request, observer, {});
        QCOMPARE(result.metrics.at("tokens").get<int>(), 1300);
    }
};

QTEST_APPLESS_MAIN(TestCalibrate)
#include "tst_calibrate.moc"
