#include <QTest>
#include <numeric>
#include <torch/types.h>

#include "golden_model.h"
#include "model/model_source.h"
#include "nn/moe_model.h"
#include "tensor/shape.h"

using namespace espalier;

namespace {

torch::Tensor batch_of_ids(const SafetensorsFile& golden) {
    const auto ids = golden_model::integers(golden, "input_ids");
    return torch::tensor(ids).view(golden.find("input_ids")->shape);
}

double largest_difference(const torch::Tensor& a, const std::vector<float>& b) {
    const torch::Tensor flat = a.detach().contiguous().view({-1});
    return (flat - torch::tensor(b)).abs().max().item<double>();
}

/// Where a parameter lies in the checkpoint.
struct Place {
    std::string name;
    std::vector<std::int64_t> elements;  ///< of the stored tensor, in the parameter's order
};

/// A tensor of other values than the stored ones, w of 1 + w, is stored whole.
Place place_of(const ModelSource& source, const TensorKey& key) {
    const auto count = static_cast<std::int64_t>(*num_elements(source.shape(key)));
    Place place{.name = {}, .elements = std::vector<std::int64_t>(static_cast<std::size_t>(count))};
    std::iota(place.elements.begin(), place.elements.end(), std::int64_t{0});
    const auto stored = source.stored(key);
    if (!stored) {
        for (const NamedTensor& tensor : source.stored_tensors()) {
            if (source.role_of(tensor.name) == key) place.name = tensor.name;
        }
        return place;
    }
    std::int64_t first = 0;
    for (const NamedTensor& tensor : source.stored_tensors()) {
        const auto offset = stored->view.bytes.data() - tensor.view.bytes.data();
        if (offset < 0 || offset >= static_cast<std::ptrdiff_t>(tensor.view.bytes.size())) continue;
        place.name = tensor.name;
        first = static_cast<std::int64_t>(offset) / 4;  // these checkpoints are float32
    }
    const std::int64_t columns = count / source.shape(key).at(0);
    for (std::int64_t& element : place.elements) {
        const std::int64_t row = element / columns;
        const auto& places = stored->row_places;
        const std::int64_t at = places.empty() ? row : places[static_cast<std::size_t>(row)];
        element = first + at * columns + element % columns;
    }
    return place;
}

}  // namespace

class TestMoeModel : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void gradients_equal_the_reference_data() {
        QTest::addColumn<QString>("name");
        QTest::addRow("mixtral") << "mixtral-basic";
        QTest::addRow("qwen3_moe") << "qwen3_moe-basic";
        QTest::addRow("qwen3_next") << "qwen3_next-hybrid";
    }

    void gradients_equal_the_reference() {
        QFETCH(QString, name);
        const std::string model_case = name.toStdString();
        const auto folder = golden_model::folder(model_case);
        const SafetensorsFile golden(folder / "golden.safetensors");
        const SafetensorsFile gradients(folder / "grads.safetensors");
        const auto source = ModelSource::open(folder);
        const MoeModel model(*source, {});

        const torch::Tensor ids = batch_of_ids(golden);
        const torch::Tensor logits = model.forward(ids);
        QVERIFY(largest_difference(logits, golden_model::floats(golden, "logits")) <=
                golden_model::tolerance(model_case, "logits"));
        const torch::Tensor loss = next_token_loss(logits, ids);
        QVERIFY(std::abs(loss.item<double>() -
                         static_cast<double>(golden_model::floats(golden, "loss").at(0))) <=
                golden_model::tolerance(model_case, "loss"));

        loss.backward();
        std::size_t compared = 0;
        for (const auto& [key, parameter] : model.parameters()) {
            const Place place = place_of(*source, key);
            const torch::Tensor expected =
                torch::tensor(golden_model::floats(gradients, place.name))
                    .index_select(0, torch::tensor(place.elements));
            // An expert without tokens has no gradient at all; the reference writes zeros.
            const torch::Tensor gradient =
                parameter.grad().defined() ? parameter.grad() : torch::zeros_like(parameter);
            const double difference = (gradient.flatten() - expected).abs().max().item<double>();
            QVERIFY2(
                difference <= golden_model::tolerance(model_case, "grads"),
                qPrintable(QString("%1 differs by %2").arg(place.name.c_str()).arg(difference)));
            compared += place.elements.size();
        }
        std::size_t all = 0;
        for (const NamedTensor& tensor : gradients.tensors()) {
            all += *num_elements(tensor.view.shape);
        }
        QCOMPARE(compared, all);
    }

    void what_only_biases_the_choice_is_not_trained() {
        const auto source = ModelSource::open(golden_model::folder("deepseek_v3-basic"));
        const MoeModel model(*source, {});
        for (const auto& entry : model.parameters()) {
            QVERIFY(entry.first.role != TensorRole::RouterSelectionBias);
        }
    }

    void a_tied_embedding_is_one_parameter() {
        const auto source = ModelSource::open(golden_model::folder("qwen3_moe-tied-sharded"));
        const MoeModel model(*source, {});
        std::int64_t outputs = 0;
        for (const auto& entry : model.parameters())
            outputs += entry.first.role == TensorRole::Output;
        QCOMPARE(outputs, 0);
        const torch::Tensor ids = torch::tensor({1, 2, 3, 4}, torch::kInt64).view({1, 4});
        next_token_loss(model.forward(ids), ids).backward();
        // Reached through lm_head: rows of tokens that are not in the batch get a gradient too.
        const torch::Tensor gradient = model.parameters().front().second.grad();
        QVERIFY(gradient[10].abs().sum().item<double>() > 0);
    }
};

QTEST_APPLESS_MAIN(TestMoeModel)
#include "tst_moe_model.moc"
