#include <QTest>
#include <torch/types.h>

#include "golden_model.h"
#include "model/model_source.h"
#include "nn/moe_model.h"
#include "nn/torch_tensors.h"

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

/// The stored tensor that a parameter comes from.
std::string stored_name(const ModelSource& source, const TensorKey& key) {
    for (const NamedTensor& tensor : source.stored_tensors()) {
        if (source.role_of(tensor.name) == key) return tensor.name;
    }
    return {};
}

}  // namespace

class TestMoeModel : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void gradients_equal_the_reference_data() {
        QTest::addColumn<QString>("name");
        QTest::addRow("mixtral") << "mixtral-basic";
        QTest::addRow("qwen3_moe") << "qwen3_moe-basic";
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
        QCOMPARE(model.parameters().size(), gradients.tensors().size());
        for (const auto& [key, parameter] : model.parameters()) {
            const std::string tensor = stored_name(*source, key);
            // An expert without tokens has no gradient at all; the reference writes zeros.
            const torch::Tensor gradient =
                parameter.grad().defined() ? parameter.grad() : torch::zeros_like(parameter);
            const double difference =
                largest_difference(gradient, golden_model::floats(gradients, tensor));
            QVERIFY2(difference <= golden_model::tolerance(model_case, "grads"),
                     qPrintable(QString("%1 differs by %2").arg(tensor.c_str()).arg(difference)));
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
