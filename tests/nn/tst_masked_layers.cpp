#include <QTest>
#include <algorithm>

#include "golden_model.h"
#include "prune/pruning_fixture.h"
#include "traced_logits.h"

using namespace espalier;
using namespace pruning;
using traced_logits::largest_difference;

/// libtorch's layers under a mask, held to those of the model without the experts.
class TestMaskedLayers : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void masked_layers_equal_pruned_layers_data() {
        QTest::addColumn<QString>("name");
        for (const std::string& name : golden_model::cases()) {
            QTest::addRow("%s", name.c_str()) << QString::fromStdString(name);
        }
    }
    void masked_layers_equal_pruned_layers() {
        QFETCH(QString, name);
        const Folder folder;
        const auto model = ModelSource::open(golden_model::folder(name.toStdString()));
        const SafetensorsFile file(golden_model::folder(name.toStdString()) / "golden.safetensors");
        const auto ids = golden_model::rows_of_ids(file);
        const RouterConfig& router = model->config().router;
        ExpertPlan plan = plan_keeping(*model, std::max(router.top_k, router.num_experts / 2));
        if (!name.contains(QLatin1String("mxfp4"))) {  // whose blocks cannot be scaled
            for (auto& [layer, row] : plan.layers) row.output_scale = 0.5;
        }
        prune(*model, plan, folder.path("out"));
        const auto cut = ModelSource::open(folder.path("out"));

        const auto masked = traced_logits::of(*model, ids, plan.mask(model->config()));
        QVERIFY(largest_difference(masked, traced_logits::of(*model, ids)) > 0.01F);
        const float difference = largest_difference(masked, traced_logits::of(*cut, ids));
        QVERIFY2(difference <= 1e-4F, qPrintable(QString::number(static_cast<double>(difference))));
    }
};

QTEST_APPLESS_MAIN(TestMaskedLayers)
#include "tst_masked_layers.moc"
