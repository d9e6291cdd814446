#include <QTemporaryDir>
#include <QTest>
#include <array>

#include "calib/calibrate.h"
#include "calib/calibration_case.h"
#include "model/model_source.h"
#include "model/model_tensors.h"
#include "nn/golden_model.h"
#include "routing/expert_stats.h"
#include "routing/matrix_name.h"

using namespace espalier;
using namespace calibration;
namespace fs = std::filesystem;

namespace {

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

class TestInputEnergies : public QObject {
    Q_OBJECT

private Q_SLOTS:
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
};

QTEST_APPLESS_MAIN(TestInputEnergies)
#include "tst_input_energies.moc"
