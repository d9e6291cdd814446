#include <QTest>
#include <algorithm>

#include "base/error.h"
#include "infer/random_model.h"
#include "infer/sample_configs.h"
#include "prune/diff_experts.h"
#include "prune/pruning_fixture.h"

using namespace espalier;
using namespace pruning;

namespace {

const std::string kHub = "models/qwen3_moe-basic";  // 12 experts, 3 a token, 3 layers

ExpertPlan some_plan(const ModelSource& model) {
    ExpertPlan plan;
    plan.model_hash = model.hash();
    std::int32_t skip = 1;
    for (const std::int64_t layer : model.config().moe_layers()) {
        for (std::int32_t e = 0; e < model.config().router.num_experts; ++e) {
            if (e % 4 != skip) plan.layers[layer].kept.push_back(e);
        }
        skip = (skip + 1) % 4;
    }
    return plan;
}

}  // namespace

class TestDiffExperts : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void a_cut_is_recovered_data() {
        QTest::addColumn<QString>("original");
        QTest::addColumn<QString>("cut");
        QTest::addColumn<bool>("equal");
        QTest::addRow("hub folder")
            << QString::fromStdString(kHub) << QString::fromStdString(kHub) << true;
        const QString folder = "gguf/models/qwen3moe/qwen3moe.";
        QTest::addRow("GGUF") << folder + "q4_k_m.gguf" << folder + "q4_k_m.gguf" << true;
        QTest::addRow("requantised") << folder + "f32.gguf" << folder + "q4_k_m.gguf" << false;
    }

    void a_cut_is_recovered() {
        QFETCH(QString, original);
        QFETCH(QString, cut);
        QFETCH(bool, equal);
        const Folder folder;
        const auto before = ModelSource::open(golden(original.toStdString()));
        const auto source = ModelSource::open(golden(cut.toStdString()));
        const ExpertPlan plan = some_plan(*source);
        const auto path = folder.path(source->gguf_file() != nullptr ? "cut.gguf" : "cut");
        prune(*source, plan, path);
        const auto after = ModelSource::open(path);
        const auto diff = diff_experts(*before, *after);
        QCOMPARE(diff.size(), plan.layers.size());
        for (const auto& [layer, row] : diff) {
            QCOMPARE(row.original, plan.layers.at(layer).kept);
            QCOMPARE(row.is_equal, equal);
            for (const double certainty : row.certainty) {
                QVERIFY(equal ? certainty == 1.0 : certainty > 0.95 && certainty < 1.0);
            }
        }
        const ExpertPlan found = plan_of_diff(*before, diff);
        QCOMPARE(found.model_hash, before->hash());
        for (const auto& [layer, row] : found.layers) {
            QCOMPARE(row.kept, plan.layers.at(layer).kept);
        }
    }

    void the_whole_model_lacks_nothing() {
        const auto model = ModelSource::open(golden(kHub));
        for (const auto& [layer, row] : diff_experts(*model, *model)) {
            QCOMPARE(row.original.size(), std::size_t{12});
            QVERIFY(std::is_sorted(row.original.begin(), row.original.end()));
            QVERIFY(row.is_equal);
        }
    }

    void another_model_is_refused() {
        const MoeConfig config = sample_configs().front().second;
        const RandomModel one(config, 1);
        const RandomModel other(config, 2);
        QVERIFY_EXCEPTION_THROWN(diff_experts(one, other), Error);
        MoeConfig wider = config;
        wider.hidden_size *= 2;
        QVERIFY_EXCEPTION_THROWN(diff_experts(one, RandomModel(wider, 1)), Error);
    }
};

QTEST_APPLESS_MAIN(TestDiffExperts)
#include "tst_diff_experts.moc"
