#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <functional>
#include <numeric>
#include <set>

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
#include "support/gguf_model.h"
#include "support/synthetic_model.h"

using namespace espalier;
namespace fs = std::filesystem;

namespace {

/// Keeps what is reported, and asks to stop once `when` is true.
class Watcher {
public:
    std::vector<double> fractions;
    std::vector<ExpertStats> layers;
    std::stop_source stop;
    std::function<bool()> when;

    CalibrateSinks sinks() {
        return {.progress =
                    [this](double fraction, const std::string& /*text*/) {
                        fractions.push_back(fraction);
                        look();
                    },
                .layer =
                    [this](const ExpertStats& stats) {
                        layers.push_back(stats);
                        look();
                    }};
    }

private:
    void look() {
        if (when && when()) stop.request_stop();
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
        calibrate(test.request, {}, {});
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
        calibrate({.model = model,
                   .ids = path / "ids.json",
                   .out = path / "stats.safetensors",
                   .compute_dtype = "F32"},
                  {}, {});

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

    void gguf_files_serve_as_well_as_folders_data() {
        QTest::addColumn<QString>("name");
        std::set<std::string> architectures;
        for (const std::string& name : golden_model::cases()) {
            const auto architecture =
                test::gguf_architecture(*ModelSource::open(golden_model::folder(name)));
            if (!architecture) continue;
            architectures.insert(*architecture);
            QTest::addRow("%s", name.c_str()) << QString::fromStdString(name);
        }
        QCOMPARE(architectures.size(), std::size_t{11});
    }

    void gguf_files_serve_as_well_as_folders() {
        QFETCH(QString, name);
        const fs::path model = golden_model::folder(name.toStdString());
        const QTemporaryDir folder;
        const fs::path path = folder.path().toStdString();
        test::write_as_gguf(*ModelSource::open(model), path / "model.gguf");
        write_ids(path / "ids.json",
                  golden_model::rows_of_ids(SafetensorsFile(model / "golden.safetensors")));
        calibrate({.model = path / "model.gguf",
                   .ids = path / "ids.json",
                   .out = path / "stats.safetensors"},
                  {}, {});
        const SafetensorsFile saliency(model / "saliency.safetensors");
        const SafetensorsFile stats(path / "stats.safetensors");
        for (const NamedTensor& tensor : saliency.tensors()) {
            if (tensor.view.dtype == DType::I64) {
                QCOMPARE(golden_model::integers(stats, tensor.name),
                         golden_model::integers(saliency, tensor.name));
                continue;
            }
            const auto values = golden_model::read<double>(stats, tensor.name);
            const auto wanted = golden_model::floats(saliency, tensor.name);
            QCOMPARE(values.size(), wanted.size());
            for (std::size_t i = 0; i < values.size(); ++i) {
                const auto value = static_cast<double>(wanted[i]);
                QVERIFY2(std::abs(values[i] - value) <= 1e-4 * std::max(1.0, std::abs(value)),
                         tensor.name.c_str());
            }
        }
    }

    void input_energies_are_those_of_the_forward_pass() {
        const fs::path model = golden_model::folder("qwen3_moe-basic");
        const SafetensorsFile golden(model / "golden.safetensors");
        const QTemporaryDir folder;
        const fs::path path = folder.path().toStdString();
        write_ids(path / "ids.json", golden_model::rows_of_ids(golden));
        calibrate({.model = model,
                   .ids = path / "ids.json",
                   .out = path / "stats.safetensors",
                   .compute_dtype = "F32"},
                  {}, {});
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
        calibrate({.model = model,
                   .ids = path / "ids.json",
                   .out = path / "stats.safetensors",
                   .compute_dtype = "F32"},
                  {}, {});
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
        const CalibrateResult result = calibrate(test.request, watcher.sinks(), {});
        QCOMPARE(watcher.layers.size(), 3U);
        for (std::int64_t index = 0; const ExpertStats& stats : watcher.layers) {
            QCOMPARE(stats.layers.size(), 1U);
            const LayerStats& layer = stats.layers.at(index++);
            QCOMPARE(std::accumulate(layer.count.begin(), layer.count.end(), std::int64_t{0}),
                     layer.tokens * stats.top_k);
        }
        double last = 0;
        for (const double fraction : watcher.fractions) {
            QVERIFY(fraction >= last);
            last = fraction;
        }
        QCOMPARE(last, 1.0);
        QCOMPARE(result.metrics.at("tokens").get<int>(), 12000);
        QVERIFY(result.peak_bytes > 0);
        QVERIFY(!fs::exists(test.request.out.string() + ".partial"));
    }

    void same_bytes_whatever_the_threads() {
        Case test;
        for (const std::size_t threads : {1U, 3U}) {
            test.request.num_threads = threads;
            calibrate(test.request, {}, {});
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
        watcher.when = [&] { return static_cast<int>(watcher.layers.size()) >= layers; };
        QVERIFY_THROWS_EXCEPTION(
            Cancelled, calibrate(test.request, watcher.sinks(), watcher.stop.get_token()));
        QVERIFY(!fs::exists(test.request.out));
        const CalibrateResult result = calibrate(test.request, {}, {});
        QCOMPARE(hash_of_result(test.request.out), uninterrupted());
        QCOMPARE(result.metrics.at("layers_resumed").get<std::size_t>(), watcher.layers.size());
    }

    void a_checkpoint_of_other_settings_is_not_taken_up() {
        Case test;
        Watcher watcher;
        watcher.when = [&] { return !watcher.layers.empty(); };
        QVERIFY_THROWS_EXCEPTION(
            Cancelled, calibrate(test.request, watcher.sinks(), watcher.stop.get_token()));
        test.request.context = 200;
        const CalibrateResult result = calibrate(test.request, {}, {});
        QCOMPARE(result.metrics.at("layers_resumed").get<int>(), 0);
    }

    void shards_add_up_to_the_whole() {
        Case test;
        calibrate(test.request, {}, {});
        ExpertStats whole = load_expert_stats(test.request.out, true);
        load_expert_contexts(test.request.out, whole);
        std::vector<ExpertStats> shards;
        test.request.shard_count = 3;
        for (std::int64_t i = 0; i < 3; ++i) {
            test.request.shard_index = i;
            test.request.out = test.file("shard.safetensors");
            calibrate(test.request, {}, {});
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

    /// Of every golden model whose experts cannot be multiplied as they lie in the file.
    void a_small_budget_changes_nothing_but_the_speed() {
        std::size_t found = 0;
        for (const std::string& name : golden_model::cases()) {
            const fs::path model = golden_model::folder(name);
            const auto source = ModelSource::open(model);
            const CopyBytes copies = copy_bytes(*source);
            if (copies.experts == 0) continue;
            ++found;
            const QTemporaryDir folder;
            CalibrateRequest request;
            request.model = model;
            request.ids = fs::path(folder.path().toStdString()) / "ids.json";
            request.out = fs::path(folder.path().toStdString()) / "stats.safetensors";
            request.stats = "all";
            write_ids(request.ids, random_rows(3, 40, 64));
            calibrate(request, {}, {});
            const std::string roomy = hash_of_result(request.out);

            // One worker, and a byte too little for a layer with all of its experts.
            const CalibrationWindows data = read_calibration_windows(request, *source);
            const std::uint64_t worker = worker_bytes(
                source->config(), extent_of(data.windows, cut_micro_batches(data.windows)),
                StatChoice::all());
            request.memory_budget = kProgramBytes + copies.rest + copies.experts + worker - 1;
            const CalibrationMemory plan = plan_calibration_memory(
                *source, {.budget = request.memory_budget, .worker_bytes = worker});
            QVERIFY(!plan.keeps_experts);
            QCOMPARE(plan.num_threads, 1U);
            calibrate(request, {}, {});
            QCOMPARE(hash_of_result(request.out), roomy);
        }
        QVERIFY(found > 0);
    }

    /// Weights that can be multiplied as they lie in the file take no memory of the program's.
    void memory_is_what_the_workers_need() {
        Case test;
        const auto source = ModelSource::open(test.request.model);
        const CopyBytes copies = copy_bytes(*source);
        QCOMPARE(copies.experts + copies.rest, 0U);
        const CalibrationMemory plan = plan_calibration_memory(
            *source, {.budget = 1ULL << 30, .num_threads = 3, .worker_bytes = 1000});
        QVERIFY(plan.keeps_experts);
        QCOMPARE(plan.num_threads, 3U);
        QCOMPARE(plan.bytes, kProgramBytes + 3000);
    }

    /// What is computed with follows from the model alone, and is part of what a checkpoint is of.
    void bfloat16_is_for_models_stored_so() {
        Case test;
        for (const auto& [asked, used] :
             {std::pair{"auto", "BF16"}, std::pair{"F32", "F32"}, std::pair{"BF16", "BF16"}}) {
            test.request.compute_dtype = asked;
            calibrate(test.request, {}, {});
            QCOMPARE(
                load_expert_stats(test.request.out).settings.at("compute_dtype").get<std::string>(),
                std::string(used));
        }
        test.request.compute_dtype = "F16";
        QVERIFY_THROWS_EXCEPTION(Error, calibrate(test.request, {}, {}));
    }

    /// Rounding activations to eight bits changes no sum by more than a few thousandths.
    void bfloat16_stays_close_to_float32() {
        Case test;
        test.request.compute_dtype = "F32";
        calibrate(test.request, {}, {});
        const ExpertStats exact = load_expert_stats(test.request.out);
        test.request.compute_dtype = "BF16";
        calibrate(test.request, {}, {});
        const ExpertStats rounded = load_expert_stats(test.request.out);
        for (const auto& [index, layer] : exact.layers) {
            const LayerStats& other = rounded.layers.at(index);
            QVERIFY(layer.norm_sum != other.norm_sum);
            QCOMPARE(other.tokens, layer.tokens);
            for (std::size_t e = 0; e < layer.count.size(); ++e) {
                QVERIFY(std::abs(layer.count[e] - other.count[e]) <= layer.count[e] / 50 + 2);
                QVERIFY(is_close(layer.norm_sum[e] / static_cast<double>(layer.count[e]),
                                 other.norm_sum[e] / static_cast<double>(other.count[e]), 5e-3));
            }
        }
    }

    void says_how_much_memory_it_needs() {
        Case test;
        test.request.memory_budget = 1 << 20;
        try {
            calibrate(test.request, {}, {});
            QFAIL("a budget of 1 MiB was accepted");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::MemoryExceeded);
        }
    }

    void refuses_what_cannot_be_data() {
        Case test;
        write_file(test.request.ids, "[[1, 2], [3, \"x\"]]");
        QVERIFY_THROWS_EXCEPTION(Error, calibrate(test.request, {}, {}));
        write_file(test.request.ids, "[[1, 128]]");
        QVERIFY_THROWS_EXCEPTION(Error, calibrate(test.request, {}, {}));
        write_file(test.request.ids, "[[]]");
        QVERIFY_THROWS_EXCEPTION(Error, calibrate(test.request, {}, {}));
        write_ids(test.request.ids, {{1, 2}});
        test.request.shard_count = 2;
        QVERIFY_THROWS_EXCEPTION(Error, calibrate(test.request, {}, {}));
        test.request.shard_index = 2;
        QVERIFY_THROWS_EXCEPTION(Error, calibrate(test.request, {}, {}));
    }

    void the_budget_of_tokens_is_kept() {
        Case test;
        test.request.max_tokens = 1300;
        const CalibrateResult result = calibrate(test.request, {}, {});
        QCOMPARE(result.metrics.at("tokens").get<int>(), 1300);
    }
};

QTEST_APPLESS_MAIN(TestCalibrate)
#include "tst_calibrate.moc"
