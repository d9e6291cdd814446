#include <QAbstractButton>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QRadioButton>
#include <QTabWidget>
#include <QTableView>
#include <QTest>

#include "experts_fixture.h"
#include "model/model_source.h"
#include "ui/bridge/plan_files.h"
#include "ui/models/expert_matrix_model.h"
#include "ui/pages/experts_page.h"
#include "ui/widgets/heat_view.h"
#include "ui/widgets/info_view.h"

using namespace espalier;
using namespace espalier::ui;

/// Plans that are more than a choice of experts: merged ones, constants, different numbers in
/// different layers, mixes of tasks; and what was measured of them.
class ExpertsPlansTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() {
        m_fixture = makeExpertsWindow();
        QVERIFY(m_fixture != nullptr);
    }
    void cleanup() { m_fixture.reset(); }

    void merged_experts_show_everywhere_as_merged() {
        m_fixture->openSample();
        loadMerged();
        const QModelIndex cell = view().matrixModel()->indexOf({2, 5});
        const auto states = cell.data(ExpertMatrixModel::StateRole).value<CellStates>();
        QVERIFY(states.testFlag(CellState::Merged) && !states.testFlag(CellState::Pruned));
        const QString spoken = cell.data(Qt::AccessibleTextRole).toString();
        QVERIFY2(spoken.contains(QStringLiteral("merged into 12")), qPrintable(spoken));
        const QString tip = cell.data(Qt::ToolTipRole).toString();
        QVERIFY2(tip.startsWith(QStringLiteral("Layer 2, expert 5: merged into 12")),
                 qPrintable(tip));
        const auto* key =
            m_fixture->window().findChild<QWidget*>(QStringLiteral("exp_map_heat_view_key"));
        QVERIFY(key != nullptr);
        QVERIFY(key->accessibleDescription().contains(QStringLiteral("merged")));
        view().choose({{2, 12}});
        auto* detail = m_fixture->find<InfoView>("exp_detail_view");
        QCOMPARE(detail->value(QStringLiteral("decision")), QStringLiteral("kept, takes in 5, 7"));
        view().choose({{2, 5}});
        QCOMPARE(detail->value(QStringLiteral("decision")), QStringLiteral("merged into 12"));
        QCOMPARE(m_fixture->find<InfoView>("exp_layer_view")->value(QStringLiteral("merged")),
                 QStringLiteral("2 experts into 1"));
        const auto* table = m_fixture->find<QTableView>("exp_table_table")->model();
        QCOMPARE(table->index(2 * 32 + 5, 2).data().toString(), QStringLiteral("merged into 12"));
        m_fixture->shootBoth(QStringLiteral("experts-merged"));
        m_fixture->tabs().setCurrentIndex(1);
        m_fixture->shootBoth(QStringLiteral("experts-merged-layer"));
    }

    void no_mask_stands_for_merged_experts() {
        m_fixture->openSample();
        loadMerged();
        QVERIFY(!m_fixture->find("exp_plan_measure_btn")->isEnabled());
        auto* why = m_fixture->find<QLabel>("exp_plan_unmeasured_label");
        QVERIFY(why->isVisible());
        QVERIFY2(why->text().startsWith(QStringLiteral("Merged experts are new weights")),
                 qPrintable(why->text()));
        m_fixture->session().measure();
        QVERIFY(!m_fixture->session().probe().isBusy());
        // Whoever stays after all is part of no other.
        QVERIFY(m_fixture->session().edit(PlanEdit::Keep, {{2, {5, 7}}}));
        QVERIFY(!m_fixture->session().plan().merges());
        QVERIFY(m_fixture->find("exp_plan_measure_btn")->isEnabled());
        QVERIFY(!why->isVisible());
    }

    void a_saved_plan_that_merges_is_the_same_when_it_comes_back() {
        m_fixture->openSample();
        loadMerged();
        const PlanState merged = m_fixture->session().plan();
        m_fixture->session().saveAs(QStringLiteral("again"));
        QTRY_COMPARE(m_fixture->session().planName(), QStringLiteral("again"));
        QVERIFY(m_fixture->session().edit(PlanEdit::ForceOut, {{2, {7}}}));
        QVERIFY(!m_fixture->session().plan().mergedInto(2, 7));
        QCOMPARE(m_fixture->session().plan().mergedInto(2, 5), std::optional<std::int32_t>(12));
        m_fixture->session().load(fileOf(QStringLiteral("again")));
        QTRY_VERIFY(m_fixture->session().plan() == merged);
    }

    void what_was_measured_comes_back_with_the_plan() {
        m_fixture->openSample();
        m_fixture->measure();
        const ProbeReading first = *session().reading();
        QVERIFY(first.routing.has_value());
        QVERIFY(first.routing->recall > 0.5 && first.routing->recall <= 1);
        QVERIFY(first.routing->worstRecall <= first.routing->recall);
        m_fixture->find<QDoubleSpinBox>("exp_plan_keep_dspin")->setValue(50);
        QTRY_COMPARE(keptOf(session().plan()), keptOf(selected(16)));
        m_fixture->measure();
        const ProbeReading second = *session().reading();
        const PlanState plan = session().plan();
        session().saveAs(QStringLiteral("measured"));
        QTRY_VERIFY(!session().isModified());
        const QString file = fileOf(QStringLiteral("measured"));
        // Nothing in the file says where on this machine the texts lie.
        QVERIFY(read_json_file(file.toStdString()).dump().find(ESPALIER_SAMPLE) ==
                std::string::npos);
        session().close();
        QVERIFY(session().points().all().empty());
        m_fixture->page().openModel(sampleModel());
        QTRY_COMPARE(session().plan().chooser, std::string("reap"));
        session().load(file);
        QTRY_VERIFY(session().plan() == plan);
        QCOMPARE(session().points().all().size(), 2U);
        const ProbeReading again = *session().reading();
        QCOMPARE(again.cost.all.kl, second.cost.all.kl);
        QCOMPARE(again.cost.tasks.size(), second.cost.tasks.size());
        QCOMPARE(again.whole.all.perplexity, second.whole.all.perplexity);
        QVERIFY(again.routing == second.routing);
        auto* numbers = m_fixture->find<InfoView>("exp_plan_predict_view");
        QVERIFY(numbers->value(QStringLiteral("routing")).contains(QStringLiteral("choices stay")));
        session().goToPoint(1);
        QCOMPARE(keptOf(session().plan()), keptOf(selected(24)));
        QCOMPARE(session().reading()->cost.all.kl, first.cost.all.kl);
        m_fixture->shootBoth(QStringLiteral("experts-measured-again"));
    }

    void a_page_that_ends_tells_nobody_of_its_plan() {
        m_fixture->openSample();
        const std::int32_t out = session().plan().layers.at(0)->kept[0];
        QVERIFY(session().edit(PlanEdit::Prune, {{0, {out}}}));
        QVERIFY(session().isModified());
        int told = 0;
        connect(&session(), &ExpertSession::planFileChanged, [&told] { ++told; });
        m_fixture.reset();
        QCOMPARE(told, 0);
    }

    void layers_that_differ_are_written_in_the_own_format() {
        m_fixture->openSample();
        const std::int32_t out = session().plan().layers.at(0)->kept[0];
        QVERIFY(session().edit(PlanEdit::Prune, {{0, {out}}}));
        m_fixture->click("exp_apply_btn");
        auto* sheet = m_fixture->find("dlgApply");
        QTRY_VERIFY(sheet->isVisible());
        QVERIFY(m_fixture->find<QRadioButton>("dlgApply_fill_radio")->isChecked());
        QVERIFY(!m_fixture->find("dlgApply_native_label")->isVisible());
        m_fixture->find<QRadioButton>("dlgApply_native_radio")->setChecked(true);
        auto* words = m_fixture->find("dlgApply_native_label");
        QVERIFY(words->isVisible());
        QTRY_VERIFY(words->height() >= words->heightForWidth(words->width()));
        QCOMPARE(m_fixture->find<InfoView>("dlgApply_plan_view")->value(QStringLiteral("layers")),
                 QStringLiteral("32 → 23 to 24"));
        m_fixture->shootBoth(QStringLiteral("experts-apply-native"), sheet);
        const auto cut = applied(QStringLiteral("uneven"));
        QVERIFY(cut->config().is_native());
        QCOMPARE(cut->config().num_experts_of(0), std::int64_t{23});
        QCOMPARE(cut->config().num_experts_of(1), std::int64_t{24});
    }

    void constants_in_place_of_experts_need_the_own_format() {
        m_fixture->openSample(Gathered::Outputs);
        m_fixture->choose("exp_plan_criterion_combo", QStringLiteral("mone"));
        QTRY_COMPARE(session().plan().chooser, std::string("mone"));
        QVERIFY(!m_fixture->find("exp_plan_measure_btn")->isEnabled());
        m_fixture->click("exp_apply_btn");
        auto* sheet = m_fixture->find("dlgApply");
        QTRY_VERIFY(sheet->isVisible());
        QVERIFY(m_fixture->find<QRadioButton>("dlgApply_native_radio")->isChecked());
        QVERIFY(!m_fixture->find("dlgApply_fill_radio")->isVisible());
        QVERIFY(m_fixture->find("dlgApply_native_label")->isVisible());
        QCOMPARE(m_fixture->find<InfoView>("dlgApply_plan_view")->value(QStringLiteral("experts")),
                 QStringLiteral("48 of 192 become constants"));
        m_fixture->shootBoth(QStringLiteral("experts-apply-constants"), sheet);
        const auto cut = applied(QStringLiteral("constants"));
        QVERIFY(cut->config().is_native());
        QCOMPARE(cut->config().num_experts_of(0), std::int64_t{32});
        // It cannot be cut again, and the page says so.
        m_fixture->open();
        m_fixture->page().openModel(m_fixture->dataFolder() +
                                    QStringLiteral("/runs/constants/01-prune/model"));
        auto* banner = m_fixture->find("exp_banner");
        QTRY_VERIFY(banner->isVisible());
    }

    void layers_stand_in_the_order_that_is_asked_for() {
        m_fixture->openSample();
        const std::vector<std::int32_t> kept = session().plan().layers.at(4)->kept;
        QVERIFY(session().edit(PlanEdit::Prune, {{4, {kept[0], kept[1]}}}));
        m_fixture->choose("exp_map_layers_combo", QStringLiteral("fewest kept first"));
        const ExpertMatrixModel& map = *view().matrixModel();
        QCOMPARE(map.cellAt(0, 0).layer, std::int64_t{4});
        QCOMPARE(map.cellAt(1, 0).layer, std::int64_t{0});
        QCOMPARE(map.headerData(0, Qt::Vertical, Qt::DisplayRole).toString(), QStringLiteral("L4"));
        m_fixture->choose("exp_map_layers_combo", QStringLiteral("lowest mean first"));
        const LayerScores scores = session().data()->scores("reap");
        const auto mean = [&scores](std::int64_t layer) {
            double sum = 0;
            for (const double score : scores.at(layer)) sum += score;
            return sum;
        };
        for (int row = 1; row < map.rowCount(); ++row)
            QVERIFY(mean(map.cellAt(row - 1, 0).layer) <= mean(map.cellAt(row, 0).layer));
        m_fixture->choose("exp_map_layers_combo", QStringLiteral("by number"));
        QCOMPARE(map.cellAt(0, 0).layer, std::int64_t{0});
    }

    void tasks_count_by_weight_or_the_weakest_first() {
        m_fixture->openSample();
        auto* python = weightOf(QStringLiteral("python"));
        QVERIFY(!python->isVisible());
        m_fixture->choose("exp_plan_tasks_combo", QStringLiteral("by weight"));
        QVERIFY(python->isVisible());
        weightOf(QStringLiteral("cpp"))->setValue(0);
        weightOf(QStringLiteral("prose"))->setValue(0);
        const auto chosen = [this](const std::map<std::string, double>& weights, TaskMix mix) {
            SelectOptions options;
            options.keep.experts = 24;
            options.champion_share = 0;
            options.task_weights = weights;
            options.task_mix = mix;
            return keptOf(
                select_experts(session().data()->stats, session().data()->config, options));
        };
        QTRY_COMPARE(keptOf(session().plan()),
                     chosen({{"python", 1}, {"cpp", 0}, {"prose", 0}}, TaskMix::Sum));
        m_fixture->shootBoth(QStringLiteral("experts-weights"));
        m_fixture->choose("exp_plan_tasks_combo", QStringLiteral("weakest first"));
        weightOf(QStringLiteral("cpp"))->setValue(1);
        weightOf(QStringLiteral("prose"))->setValue(1);
        QTRY_COMPARE(keptOf(session().plan()),
                     chosen({{"python", 1}, {"cpp", 1}, {"prose", 1}}, TaskMix::MaxMin));
        const PlanState weakest = session().plan();
        session().saveAs(QStringLiteral("weakest"));
        QTRY_COMPARE(session().planName(), QStringLiteral("weakest"));
        m_fixture->choose("exp_plan_tasks_combo", QStringLiteral("all alike"));
        QTRY_COMPARE(keptOf(session().plan()), keptOf(selected(24)));
        session().load(fileOf(QStringLiteral("weakest")));
        QTRY_VERIFY(session().plan() == weakest);
        QCOMPARE(m_fixture->find<QComboBox>("exp_plan_tasks_combo")->currentText(),
                 QStringLiteral("weakest first"));
        // What was not gathered is not offered.
        QVERIFY(!m_fixture->find("exp_plan_merge_combo")->isEnabled());
    }

    void map_and_plan_show_without_scrolling_data() {
        QTest::addColumn<QSize>("size");
        QTest::addRow("1280x800") << QSize(1280, 800);
        QTest::addRow("1920x1080") << QSize(1920, 1080);
    }
    void map_and_plan_show_without_scrolling() {
        QFETCH(QSize, size);
        m_fixture->window().resize(size);
        QTRY_COMPARE(m_fixture->window().size(), size);
        m_fixture->openSample();
        m_fixture->measure();
        view().choose({{3, 7}});
        QCoreApplication::sendPostedEvents();
        m_fixture->shootBoth(QStringLiteral("experts-layout-%1").arg(size.width()));
        for (const char* name :
             {"exp_map_heat_view", "exp_map_heat_view_key", "exp_plan_keep_slider",
              "exp_plan_uniform_chk", "exp_plan_predict_view", "exp_plan_measure_btn",
              "exp_plan_auto_btn", "exp_plan_points_chart", "exp_detail_view", "exp_history_view",
              "exp_apply_btn"}) {
            const QWidget* widget = m_fixture->find(name);
            // Nothing above it cuts it off.
            for (const QWidget* above = widget->parentWidget(); above != nullptr;
                 above = above->parentWidget()) {
                const QRect place(widget->mapTo(above, QPoint(0, 0)), widget->size());
                QVERIFY2(above->rect().contains(place), name);
            }
            QVERIFY2(widget->isVisible(), name);
        }
        // And the map takes the room that there is.
        const int needed = view().matrixModel()->rowCount() * view().cellSize();
        QVERIFY(view().viewport()->height() >= needed);
        QVERIFY(view().cellSize() >= 18);
    }

private:
    ExpertSession& session() { return m_fixture->session(); }
    HeatView& view() { return m_fixture->view(); }
    QString fileOf(const QString& name) {
        return QString::fromStdString(planPath(*session().data(), name).string());
    }

    QDoubleSpinBox* weightOf(const QString& task) {
        for (auto* box : m_fixture->page().findChildren<QDoubleSpinBox*>()) {
            if (box->prefix() == task + QLatin1Char(' ')) return box;
        }
        return nullptr;
    }

    /// In layer 2, 5 and 7 become part of 12.
    void loadMerged() {
        ExpertPlan plan = selected(24);
        plan.merge = "ream";
        LayerPlan& row = plan.layers.at(2);
        row.kept.clear();
        for (std::int32_t e = 8; e < 32; ++e) row.kept.push_back(e);
        row.groups = {{12, 5, 7}};
        const auto file = (m_fixture->dataFolder() + QStringLiteral("/merged.json")).toStdString();
        save_expert_plan(plan, file);
        session().load(QString::fromStdString(file));
        QTRY_VERIFY(session().plan().merges());
    }

    /// Starts what the sheet says and opens the result.
    std::unique_ptr<ModelSource> applied(const QString& name) {
        m_fixture->find<QLineEdit>("dlgApply_name_edit")->setText(name);
        m_fixture->click("dlgApply_start_btn");
        if (!QTest::qWaitFor([this] { return m_fixture->runs().state() == JobState::Finished; },
                             120'000))
            qFatal("the run has not ended well");
        return ModelSource::open(
            (m_fixture->dataFolder() + QStringLiteral("/runs/%1/01-prune/model").arg(name))
                .toStdString());
    }

    std::unique_ptr<ExpertsWindow> m_fixture;
};

QTEST_MAIN(ExpertsPlansTest)
#include "tst_experts_plans.moc"
