#include <QTest>
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/model_tensors.h"
#include "prune/pruning_fixture.h"
#include "support/error_of.h"

using namespace espalier;
using namespace pruning;

namespace {

/// Every second expert, of each group as well.
ExpertPlan half(const MoeConfig& config) {
    ExpertPlan plan;
    for (const std::int64_t layer : config.moe_layers()) {
        for (std::int64_t e = layer % 2; e < config.router.num_experts; e += 2) {
            plan.layers[layer].kept.push_back(static_cast<std::int32_t>(e));
        }
    }
    return plan;
}

std::vector<float> decoded(const ModelSource& model, const TensorKey& key) {
    std::vector<float> values(*num_elements(model.shape(key)));
    model.decode(key, values);
    return values;
}

/// What the tensor `key` of the pruned model should be.
std::vector<float> expected_values(const ModelSource& original, const ExpertPlan& plan,
                                   TensorKey key) {
    if (is_expert_role(key.role)) {
        key.expert = plan.layers.at(key.layer).kept[static_cast<std::size_t>(key.expert)];
        return decoded(original, key);
    }
    const std::vector<float> all = decoded(original, key);
    if (!is_router_role(key.role)) return all;
    const auto experts = static_cast<std::size_t>(original.config().router.num_experts);
    const std::size_t row = all.size() / experts;
    std::vector<float> kept;
    for (const std::int32_t expert : plan.layers.at(key.layer).kept) {
        const auto first =
            all.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(expert) * row);
        kept.insert(kept.end(), first, first + static_cast<std::ptrdiff_t>(row));
    }
    return kept;
}

}  // namespace

class TestPruneFamilies : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void what_stays_keeps_its_values_data() {
        QTest::addColumn<QString>("model");
        const Json cases = read_json_file(golden("models/cases.json"));
        for (const auto& item : cases.items()) {
            QTest::addRow("%s", item.key().c_str())
                << QString("models/%1").arg(QString::fromStdString(item.key()));
        }
        for (const char* name : {"qwen3moe", "mixtral", "qwen2moe", "olmoe", "qwen3next", "gpt_oss",
                                 "deepseek3", "glm4moe"}) {
            QTest::addRow("gguf, %s", name) << QString("gguf/models/%1/%1.q4_k_m.gguf").arg(name);
        }
        QTest::addRow("gguf, mxfp4") << QString("gguf/models/gpt_oss/gpt_oss.mxfp4.gguf");
    }

    void what_stays_keeps_its_values() {
        QFETCH(QString, model);
        const Folder folder;
        const auto original = ModelSource::open(golden(model.toStdString()));
        const ExpertPlan plan = half(original->config());
        const auto out = folder.path(original->gguf_file() != nullptr ? "out.gguf" : "out");
        const PruneReport report = prune(*original, plan, out);
        const auto cut = ModelSource::open(out);
        MoeConfig expected = original->config();
        expected.router.num_experts = report.experts_after;
        expected.num_extra_layers = 0;
        QVERIFY(cut->config() == expected);
        for (const ModelTensor& tensor : model_tensors(cut->config())) {
            QVERIFY(decoded(*cut, tensor.key) == expected_values(*original, plan, tensor.key));
        }
    }

    void prediction_blocks_go_and_vision_stays() {
        const Folder folder;
        const auto model = ModelSource::open(golden("models/qwen3_5_moe-hub-layout"));
        const PruneReport report = prune(*model, half(model->config()), folder.path("out"));
        QVERIFY(!report.dropped_tensors.empty());
        for (const auto& name : report.dropped_tensors) QVERIFY(name.starts_with("mtp."));
        const auto cut = ModelSource::open(folder.path("out"));
        QVERIFY(!cut->extra_tensors().empty());
        for (const auto& name : cut->extra_tensors()) QVERIFY(name.starts_with("model.visual."));
        const Json config = read_json_file(folder.path("out") / "config.json");
        QCOMPARE(config.at("text_config").at("num_experts").get<int>(), 4);
    }

    void groups_stay_equal_data() {
        QTest::addColumn<int>("away");
        QTest::addColumn<QString>("words");
        QTest::addRow("unequal") << 3 << "experts of one group";
        QTest::addRow("too few to reach") << 12 << "1 experts stay in each group";
    }

    /// 16 experts in 4 groups, of which a token may use 2; it is sent to 4 experts.
    void groups_stay_equal() {
        QFETCH(int, away);
        QFETCH(QString, words);
        const Folder folder;
        const auto model = ModelSource::open(golden("models/deepseek_v3-basic"));
        ExpertPlan plan;
        for (const std::int64_t layer : model->config().moe_layers()) {
            for (std::int32_t e = 0; e < 16; ++e) {
                const bool stays = away == 12 ? e % 4 == 0 : e >= away;
                if (stays) plan.layers[layer].kept.push_back(e);
            }
        }
        const auto error = test::error_of([&] { prune(*model, plan, folder.path("out")); });
        QVERIFY(error && error->code() == ErrorCode::RunRecipe);
        QVERIFY2(QString(error->what()).contains(words), error->what());
        QVERIFY(folder.names().empty());
    }
};

QTEST_APPLESS_MAIN(TestPruneFamilies)
#include "tst_prune_families.moc"
