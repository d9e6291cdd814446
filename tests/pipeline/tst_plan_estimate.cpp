#include <QTemporaryDir>
#include <QTest>
#include <filesystem>

#include "base/error.h"
#include "pipeline/artifact_hash.h"
#include "pipeline/plan_estimate.h"
#include "sample_run.h"
#include "support/error_of.h"

using namespace espalier;
namespace fs = std::filesystem;

class tst_plan_estimate : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void predicts_the_sizes_that_a_run_leaves_data() {
        QTest::addColumn<QString>("type");
        for (const char* type : {"bf16", "q8_0", "q4_k_m"}) QTest::addRow("%s", type) << type;
    }

    void predicts_the_sizes_that_a_run_leaves() {
        QFETCH(QString, type);
        QTemporaryDir dir;
        const std::string name = type.toStdString();
        RunRequest request = test::sample_run(dir.path().toStdString(), name.c_str());
        request.recipe.stages.pop_back();
        const auto model = ModelSource::open(request.recipe.model);
        const PlanEstimate plan = estimate_plan(request.recipe, *model);
        test::Deaf deaf;
        execute_recipe(request, deaf, {});

        QCOMPARE(plan.experts_before, std::int64_t{32});
        QCOMPARE(plan.experts_after, std::int64_t{16});
        expect_close(plan.stages[0].output_bytes,
                     artifact_bytes(request.out / "01-prune" / "model"));
        expect_close(plan.stages[1].output_bytes,
                     artifact_bytes(request.out / "02-quantize" / "model.gguf"));
        QCOMPARE(plan.result_bytes, plan.stages[1].output_bytes);
        QVERIFY(plan.disk_bytes >= plan.stages[0].output_bytes + plan.stages[1].output_bytes);
    }

    void counts_the_whole_sample_recipe() {
        const Recipe recipe = load_recipe(fs::path(ESPALIER_SAMPLE) / "recipe.json");
        const auto model = ModelSource::open(recipe.model);
        const PlanEstimate plan = estimate_plan(recipe, *model);
        QCOMPARE(plan.stages.size(), std::size_t{4});
        for (const StageEstimate& stage : plan.stages) {
            QVERIFY(stage.seconds > 0);
            QVERIFY(stage.peak_bytes > 0);
        }
        QVERIFY(plan.result_bytes * 4 < plan.original_bytes);
        QVERIFY(plan.seconds < 600);
    }

    void more_threads_take_less_time() {
        const Recipe recipe = load_recipe(fs::path(ESPALIER_SAMPLE) / "recipe.json");
        const auto model = ModelSource::open(recipe.model);
        QVERIFY(estimate_plan(recipe, *model, 8).seconds <
                estimate_plan(recipe, *model, 1).seconds);
    }

    void what_is_measured_besides_takes_its_time() {
        Recipe recipe = load_recipe(fs::path(ESPALIER_SAMPLE) / "recipe.json");
        const auto model = ModelSource::open(recipe.model);
        const PlanEstimate plain = estimate_plan(recipe, *model);
        recipe.stages[0].config["own_text_share"] = 0.2;
        recipe.stages[1].config["sequential"] = true;
        const PlanEstimate more = estimate_plan(recipe, *model);
        QVERIFY(more.stages[0].seconds > plain.stages[0].seconds);
        QVERIFY(more.stages[1].seconds > plain.stages[1].seconds + plain.stages[0].seconds);
        QVERIFY(more.stages[1].peak_bytes > plain.stages[0].peak_bytes);
        QVERIFY(more.disk_bytes > plain.disk_bytes);
        QCOMPARE(more.result_bytes, plain.result_bytes);
    }

    void a_disk_that_is_too_small_is_told_before() {
        PlanEstimate plan;
        plan.stages = {{"prune", 1ULL << 60, 0, 0, 0}, {"quantize", 1, 0, 0, 0}};
        const auto error = test::error_of([&] { require_disk_space(plan, 0, "/tmp"); });
        QVERIFY(error);
        QCOMPARE(error->code(), ErrorCode::DiskFull);
        QCOMPARE(exit_code(error->code()), 4);
        require_disk_space(plan, 1, "/tmp");  // what is finished needs nothing more
    }

    void an_unknown_type_is_told_before() {
        Recipe recipe = load_recipe(fs::path(ESPALIER_SAMPLE) / "recipe.json");
        recipe.stages[2].config["type"] = "q3_nope";
        const auto model = ModelSource::open(recipe.model);
        QVERIFY(test::error_of([&] { estimate_plan(recipe, *model); }));
    }

private:
    /// Within 1.5 MB: headers and companions are not counted to the byte.
    static void expect_close(std::uint64_t estimate, std::uint64_t real) {
        const auto off = static_cast<std::int64_t>(estimate) - static_cast<std::int64_t>(real);
        QVERIFY2(off >= -100'000 && off < 1'500'000, qPrintable(QString::number(off)));
    }
};

QTEST_APPLESS_MAIN(tst_plan_estimate)
#include "tst_plan_estimate.moc"
