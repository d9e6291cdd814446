#include <QTemporaryDir>
#include <QTest>
#include <cmath>

#include "base/error.h"
#include "calib/calibrate.h"
#include "calib/calibration_case.h"
#include "calib/calibration_memory.h"
#include "calib/worker_memory.h"
#include "nn/golden_model.h"
#include "routing/expert_stats.h"

using namespace espalier;
using namespace calibration;
namespace fs = std::filesystem;

class TestCalibrationCost : public QObject {
    Q_OBJECT

private Q_SLOTS:
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
};

QTEST_APPLESS_MAIN(TestCalibrationCost)
#include "tst_calibration_cost.moc"
