#include <QTest>
#include <algorithm>
#include <vector>

#include "base/error.h"
#include "eval/verify_cut.h"
#include "prune/pruning_fixture.h"

using namespace espalier;
using namespace pruning;

class TestVerifyCut : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void a_cut_computes_what_the_masked_model_does_data() {
        QTest::addColumn<QString>("name");
        QTest::addRow("folder") << "models/qwen3_moe-basic";
        QTest::addRow("quantised file") << "gguf/models/qwen3moe/qwen3moe.q8_0.gguf";
    }
    void a_cut_computes_what_the_masked_model_does() {
        QFETCH(QString, name);
        const Folder folder;
        const auto model = ModelSource::open(golden(name.toStdString()));
        const auto out = folder.path(model->gguf_file() != nullptr ? "out.gguf" : "out");
        const std::int64_t half = model->config().router.num_experts / 2;
        const ExpertPlan plan = plan_keeping(*model, half);
        prune(*model, plan, out);
        const auto cut = ModelSource::open(out);
        const ExpertMask mask = plan.mask(model->config());
        ThreadPool pool(1);
        QVERIFY(verify_cut({.model = *model, .mask = mask, .cut = *cut, .pool = pool}) <= 1e-4);

        // Other experts than those that the plan names.
        ExpertPlan other = plan;
        std::vector<std::int32_t>& kept = other.layers.begin()->second.kept;
        const auto whole = static_cast<std::int32_t>(model->config().router.num_experts);
        for (std::int32_t& expert : kept) expert = whole - 1 - expert;
        std::sort(kept.begin(), kept.end());
        QVERIFY(kept != plan.layers.begin()->second.kept);
        const ExpertMask wrong = other.mask(model->config());
        try {
            verify_cut({.model = *model, .mask = wrong, .cut = *cut, .pool = pool});
            QFAIL("the wrong experts were taken for the right ones");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::VerifyFailed);
        }
    }
};

QTEST_APPLESS_MAIN(TestVerifyCut)
#include "tst_verify_cut.moc"
