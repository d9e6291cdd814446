#include <QTest>
#include <vector>

#include "base/json.h"
#include "infer/native_model.h"
#include "prune/native_plans.h"
#include "traced_logits.h"

using namespace espalier;
using namespace pruning;

namespace {

std::vector<float> computed(const ModelSource& source, const std::vector<std::int32_t>& ids) {
    ThreadPool pool(1);
    NativeModel model(source, pool);
    KvCache cache(model.config());
    const auto logits = model.forward(ids, cache, LogitsFor::AllTokens);
    return {logits.begin(), logits.end()};
}

}  // namespace

/// libtorch's layers and the engine, held to each other on native folders.
class TestNativeLayers : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void equal_the_engine_data() {
        QTest::addColumn<QString>("name");
        const Json cases = read_json_file(golden("models/cases.json"));
        for (const auto& item : cases.items()) {
            QTest::addRow("%s", item.key().c_str()) << QString::fromStdString(item.key());
        }
    }
    void equal_the_engine() {
        QFETCH(QString, name);
        const Folder folder;
        const auto model = ModelSource::open(golden("models/" + name.toStdString()));
        std::vector<std::int32_t> ids;
        for (std::int64_t i = 0; i < 16; ++i) {
            ids.push_back(static_cast<std::int32_t>((i * 29 + 3) % model->config().vocab_size));
        }
        const ExpertPlan replaces = replacing_plan(model->config());
        const ExpertConstants constants = some_constants(replaces, model->config());
        prune_native(*model, uneven_plan(model->config()), folder.path("counts"));
        prune_native(*model, replaces, folder.path("constants"), &constants);
        for (const char* made : {"counts", "constants"}) {
            const auto native = ModelSource::open(folder.path(made));
            const float largest = traced_logits::largest_difference(
                traced_logits::of(*native, {ids}), computed(*native, ids));
            QVERIFY2(largest <= 5e-4F,
                     qPrintable(QString("%1: %2").arg(made).arg(static_cast<double>(largest))));
        }
    }
};

QTEST_APPLESS_MAIN(TestNativeLayers)
#include "tst_native_layers.moc"
