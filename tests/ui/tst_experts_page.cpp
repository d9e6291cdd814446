#include <QAction>
#include <QComboBox>
#include <QDir>
#include <QDoubleSpinBox>
#include <QFile>
#include <QFileDialog>
#include <QInputDialog>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QPushButton>
#include <QRadioButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QSignalSpy>
#include <QSlider>
#include <QSpinBox>
#include <QStackedWidget>
#include <QTabWidget>
#include <QTableView>
#include <QTest>
#include <QUndoView>

#include "base/error.h"
#include "base/thread_pool.h"
#include "eval/mask_probe.h"
#include "experts_fixture.h"
#include "model/model_source.h"
#include "pipeline/probe_windows.h"
#include "ui/models/expert_matrix_model.h"
#include "ui/pages/experts_page.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/heat_view.h"
#include "ui/widgets/info_view.h"

using namespace espalier;
using namespace espalier::ui;

class ExpertsPageTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() {
        m_fixture = makeExpertsWindow();
        QVERIFY(m_fixture != nullptr);
    }
    void cleanup() { m_fixture.reset(); }

    void an_empty_page_says_what_it_is_for() {
        open();
        QVERIFY(m_fixture->find("exp_empty_btn")->isVisible());
        QVERIFY(!m_fixture->find("exp_apply_btn")->isEnabled());
        m_fixture->shootBoth(QStringLiteral("experts-empty"));
    }

    void without_statistics_the_weights_speak_and_the_cost_is_told() {
        open();
        m_fixture->click("exp_sample_btn");
        QTRY_VERIFY(session().data() != nullptr);
        auto* banner = m_fixture->find<Banner>("exp_none_banner");
        QTRY_VERIFY2(banner->text().contains(QStringLiteral("memory")), qPrintable(banner->text()));
        QCOMPARE(view().matrixModel()->rowCount(), 6);
        QCOMPARE(view().matrixModel()->columnCount(), 32);
        QVERIFY(view().matrixModel()->matrix().metric.contains(QStringLiteral("weights alone")));
        QVERIFY(!m_fixture->find("exp_plan_keep_slider")->isEnabled());
        m_fixture->shootBoth(QStringLiteral("experts-no-statistics"));
        // What a plan is made with shows below the map, banner or not.
        const QWidget* slider = m_fixture->find("exp_plan_keep_slider");
        const QWidget& window = m_fixture->window();
        QVERIFY(
            window.rect().contains(QRect(slider->mapTo(&window, QPoint(0, 0)), slider->size())));
        // Statistics that come take the place of what the weights tell.
        session().open({.model = sampleModel(), .stats = addCalibration(*m_fixture), .data = {}});
        QTRY_VERIFY(session().data()->hasStats());
        QCOMPARE(view().matrixModel()->matrix().metric, QStringLiteral("saliency (reap)"));
        // The sample normalises its gates: none grows when others go.
        QVERIFY(!m_fixture->find("exp_plan_compensate_chk")->isVisible());
    }

    void statistics_of_a_run_are_found_and_chosen_from() {
        openSample();
        QCOMPARE(keptOf(session().plan()), keptOf(selected(24)));
        QCOMPARE(session().history().count(), 0);
        const QString label = m_fixture->find<QComboBox>("exp_src_stats_combo")->currentText();
        QVERIFY2(label.startsWith(QStringLiteral("python + cpp + prose, 40,000 tokens")),
                 qPrintable(label));
        auto* numbers = m_fixture->find<InfoView>("exp_plan_predict_view");
        QCOMPARE(numbers->value(QStringLiteral("experts")), QStringLiteral("144 of 192 stay"));
        QCOMPARE(numbers->value(QStringLiteral("kl")), QStringLiteral("not measured yet"));
    }

    void the_slider_chooses_anew_and_undo_goes_back() {
        openSample();
        auto* slider = m_fixture->find<QSlider>("exp_plan_keep_slider");
        slider->setFocus();
        for (int i = 0; i < 8; ++i) QTest::keyClick(slider, Qt::Key_Left);
        QTRY_COMPARE(keptOf(session().plan()), keptOf(selected(16)));
        QCOMPARE(m_fixture->find<QDoubleSpinBox>("exp_plan_keep_dspin")->value(), 50.0);
        // What follows quickly is one step.
        QCOMPARE(session().history().count(), 1);
        m_fixture->press(Qt::Key_Z, Qt::ControlModifier);
        QCOMPARE(keptOf(session().plan()), keptOf(selected(24)));
        QCOMPARE(slider->value(), 24);
        m_fixture->press(Qt::Key_Z, Qt::ControlModifier | Qt::ShiftModifier);
        QCOMPARE(keptOf(session().plan()), keptOf(selected(16)));
    }

    void every_criterion_is_chosen_by() {
        openSample();
        auto* criterion = m_fixture->find<QComboBox>("exp_plan_criterion_combo");
        for (const char* name : {"frequency", "gate_mass", "easy_ep", "random"}) {
            m_fixture->choose("exp_plan_criterion_combo", QLatin1String(name));
            QTRY_COMPARE(keptOf(session().plan()), keptOf(selected(24, name)));
        }
        // Nothing offers what was not gathered.
        QCOMPARE(criterion->findText(QStringLiteral("hope")), -1);
    }

    void cells_are_edited_by_keys() {
        openSample();
        const PlanState before = session().plan();
        const std::vector<std::int32_t>& kept = before.layers.at(3)->kept;
        view().choose({{3, kept[0]}, {3, kept[1]}});
        QTest::keyClick(&view(), Qt::Key_Space);
        QCOMPARE(session().plan().numKept(3), 22);
        QVERIFY(!session().plan().keeps(3, kept[0]));
        QCOMPARE(session().history().undoText(), QStringLiteral("Prune 2 experts in layer 3"));
        QTest::keyClick(&view(), Qt::Key_Space);
        QCOMPARE(keptOf(session().plan()), keptOf(before));
        view().choose({{5, 31}});
        QTest::keyClick(&view(), Qt::Key_L);
        QCOMPARE(session().plan().layers.at(5)->locked, (std::vector<std::int32_t>{31}));
        view().choose({{4, kept[2]}});
        QTest::keyClick(&view(), Qt::Key_P);
        QCOMPARE(session().plan().layers.at(4)->forced_out, (std::vector<std::int32_t>{kept[2]}));
        m_fixture->shootBoth(QStringLiteral("experts-edited"));
        // Marks survive another choice.
        auto* share = m_fixture->find<QDoubleSpinBox>("exp_plan_keep_dspin");
        share->setValue(25);
        LayerPlan locked;
        locked.locked = {31};
        LayerPlan forced;
        forced.forced_out = {kept[2]};
        QTRY_COMPARE(keptOf(session().plan()),
                     keptOf(selected(8, "reap", {{5, locked}, {4, forced}})));
        view().choose({{5, 31}});
        QTest::keyClick(&view(), Qt::Key_C);
        QVERIFY(session().plan().layers.at(5)->locked.empty());
    }

    void a_mark_counts_that_is_made_while_experts_are_chosen() {
        openSample();
        std::int32_t out = 0;
        while (session().plan().keeps(3, out)) ++out;
        m_fixture->find<QSlider>("exp_plan_keep_slider")->setValue(16);
        QVERIFY(session().isChoosing());
        QVERIFY(session().edit(PlanEdit::Lock, {{3, {out}}}));
        LayerPlan locked;
        locked.locked = {out};
        QTRY_COMPARE(keptOf(session().plan()), keptOf(selected(16, "reap", {{3, locked}})));
    }

    void too_few_experts_are_refused_at_their_layer() {
        openSample();
        const PlanState before = session().plan();
        QList<ExpertCell> layer;
        for (std::int32_t e = 0; e < 32; ++e) layer.append({2, e});
        view().choose(layer);
        QTest::keyClick(&view(), Qt::Key_Space);
        QVERIFY(session().plan() == before);
        QCOMPARE(session().history().count(), 0);
        auto* note = m_fixture->find<QLabel>("exp_map_refusal_label");
        QVERIFY(note->isVisible());
        QCOMPARE(note->text(),
                 QStringLiteral("⚠ Layer 2: Keep at least 4 experts: the model routes "
                                "each token to 4."));
        m_fixture->shootBoth(QStringLiteral("experts-refused"));
    }

    void measuring_gives_what_the_engine_gives() {
        openSample();
        m_fixture->click("exp_plan_measure_btn");
        QTRY_VERIFY_WITH_TIMEOUT(session().reading() && session().reading()->isFinal(), 60'000);
        const ProbeReading reading = *session().reading();
        const auto model = ModelSource::open(sampleModel().toStdString());
        ThreadPool pool(1);
        NativeModel native(*model, pool);
        MaskProbe probe(native,
                        read_probe_windows(*model, {.data = session().data()->data, .file = {}}));
        const MaskMeasurement direct = probe.measure(selected(24).mask(model->config()));
        QCOMPARE(reading.cost.all.tokens, direct.all.tokens);
        QVERIFY(direct.all.kl > 0);
        // Sums of parts in place of one sum.
        QVERIFY(std::abs(reading.cost.all.kl - direct.all.kl) < 1e-9 * direct.all.kl);
        QVERIFY(std::abs(reading.cost.all.perplexity - direct.all.perplexity) <
                1e-9 * direct.all.perplexity);
        QCOMPARE(reading.cost.all.top1, direct.all.top1);
        for (std::size_t task = 0; task < direct.tasks.size(); ++task)
            QVERIFY(std::abs(reading.cost.tasks[task].kl - direct.tasks[task].kl) < 1e-9);
        const QString shown =
            m_fixture->find<InfoView>("exp_plan_predict_view")->value(QStringLiteral("kl"));
        QVERIFY2(shown.contains(QLocale().toString(static_cast<qlonglong>(direct.all.tokens))),
                 qPrintable(shown));
    }

    void measured_plans_are_points_to_go_back_to_and_between_them_is_predicted() {
        openSample();
        measure();
        const PlanState first = session().plan();
        m_fixture->find<QDoubleSpinBox>("exp_plan_keep_dspin")->setValue(50);
        QTRY_COMPARE(keptOf(session().plan()), keptOf(selected(16)));
        measure();
        QCOMPARE(session().points().all().size(), 2U);
        const double low = session().points().all()[0].reading.cost.all.kl;
        const double high = session().points().all()[1].reading.cost.all.kl;
        QVERIFY(low < high);
        m_fixture->shootBoth(QStringLiteral("experts-measured"));
        m_fixture->shootBoth(QStringLiteral("experts-points"),
                             m_fixture->find("exp_plan_points_chart"));
        QTest::qWait(0);
        m_fixture->find<QDoubleSpinBox>("exp_plan_keep_dspin")->setValue(62.5);
        QTRY_COMPARE(session().plan().settings.keep, std::int64_t{20});
        const auto predicted =
            session().points().predictedKl(session().plan(), session().probeSource());
        QVERIFY(predicted.has_value());
        QVERIFY(std::abs(*predicted - std::sqrt(low * high)) < 1e-9);
        QVERIFY(m_fixture->find<InfoView>("exp_plan_predict_view")
                    ->value(QStringLiteral("kl"))
                    .contains(QStringLiteral("between measured plans")));
        session().goToPoint(1);
        QCOMPARE(keptOf(session().plan()), keptOf(first));
        m_fixture->press(Qt::Key_Z, Qt::ControlModifier);
        QCOMPARE(session().plan().settings.keep, std::int64_t{20});
    }

    void measuring_can_be_cancelled() {
        openSample();
        QSignalSpy ended(&session().probe(), &ProbeWorker::ended);
        m_fixture->click("exp_plan_measure_btn");
        QCOMPARE(m_fixture->find<QPushButton>("exp_plan_measure_btn")->text(),
                 QStringLiteral("Cancel"));
        m_fixture->click("exp_plan_measure_btn");
        QVERIFY(ended.wait(5000));
        QVERIFY(session().points().all().empty());
        QCOMPARE(m_fixture->find<QPushButton>("exp_plan_measure_btn")->text(),
                 QStringLiteral("Measure now"));
    }

    void a_better_plan_is_searched_for() {
        openSample();
        // Few tokens: every criterion is measured before the clock counts.
        session().setProbeSource({.file = QStringLiteral(ESPALIER_SAMPLE "/heldout/cpp.txt"),
                                  .data = {},
                                  .context = 256,
                                  .maxTokens = 2048});
        m_fixture->find<QSpinBox>("exp_plan_auto_spin")->setValue(1);
        m_fixture->click("exp_plan_auto_btn");
        m_fixture->shootBoth(QStringLiteral("experts-searching"));
        QTRY_COMPARE_WITH_TIMEOUT(session().plan().chooser, std::string("auto"), 120'000);
        for (const auto& [layer, kept] : keptOf(session().plan())) QCOMPARE(kept.size(), 24U);
        QCOMPARE(session().history().undoText(), QStringLiteral("Take what the search found"));
        QTRY_VERIFY(!session().probe().isBusy());
    }

    void a_saved_plan_loads_as_it_was_with_its_history() {
        openSample();
        view().choose({{1, 3}});
        QTest::keyClick(&view(), Qt::Key_L);
        session().setNote(QStringLiteral("keeps the one that counts"));
        QVERIFY(planButton().startsWith(QStringLiteral("Plan: new*")));
        const PlanState saved = session().plan();
        session().saveAs(QStringLiteral("first"));
        QTRY_COMPARE(planButton(), QStringLiteral("Plan: first"));
        const QString file =
            QString::fromStdString(planPath(*session().data(), QStringLiteral("first")).string());
        QVERIFY(QFile::exists(file));
        // Core reads it as any other plan.
        const ExpertPlan plan = load_expert_plan(file.toStdString());
        QCOMPARE(keptOf(plan), keptOf(saved));
        QCOMPARE(plan.layers.at(1).locked, (std::vector<std::int32_t>{3}));
        QCOMPARE(plan.model_hash, session().data()->modelHash);
        view().choose({{1, 3}});
        QTest::keyClick(&view(), Qt::Key_P);
        session().load(file);
        QTRY_VERIFY(session().plan() == saved);
        QCOMPARE(session().note(), QStringLiteral("keeps the one that counts"));
        const SavedPlan again = session().savedPlan();
        QCOMPARE(again.history.size(), 1U);
        QCOMPARE(again.history[0].text, QStringLiteral("Lock expert 3 in layer 1"));
    }

    void plans_are_compared() {
        openSample();
        session().saveAs(QStringLiteral("base"));
        QTRY_COMPARE(planButton(), QStringLiteral("Plan: base"));
        const std::int32_t gone = session().plan().layers.at(2)->kept[0];
        QVERIFY(session().edit(PlanEdit::Prune, {{2, {gone}}}));
        tabs().setCurrentIndex(4);
        auto* with = m_fixture->find<QComboBox>("exp_compare_with_combo");
        QTRY_VERIFY(with->findText(QStringLiteral("plan: base")) > 0);
        m_fixture->choose("exp_compare_with_combo", QStringLiteral("plan: base"));
        auto* text = m_fixture->find<QLabel>("exp_compare_label");
        QTRY_COMPARE(text->text(), QStringLiteral("Against base: +0 −1 experts, layers 2"));
        auto* map = m_fixture->find<HeatView>("exp_compare_heat_view");
        const QModelIndex cell = map->matrixModel()->indexOf({2, gone});
        QCOMPARE(cell.data(ExpertMatrixModel::ValueRole).toDouble(), -1.0);
        m_fixture->shootBoth(QStringLiteral("experts-compare-plan"));
    }

    void the_table_holds_what_the_map_shows() {
        openSample();
        const QString path = m_fixture->dataFolder() + QStringLiteral("/experts.csv");
        tabs().setCurrentIndex(5);
        m_fixture->click("exp_table_export_btn");
        auto* dialog = m_fixture->window().findChild<QFileDialog*>(QStringLiteral("dlgFile"));
        QVERIFY(dialog != nullptr);
        Q_EMIT dialog->fileSelected(path);
        dialog->close();
        QTRY_VERIFY(QFile::exists(path));
        QFile file(path);
        QVERIFY(file.open(QIODevice::ReadOnly));
        const QList<QByteArray> lines = file.readAll().trimmed().split('\n');
        QCOMPARE(lines.size(), 1 + 6 * 32);
        const double score = session().data()->scores("reap").at(0)[0];
        bool hasScore = false;
        for (const QByteArray& field : lines[1].trimmed().split(','))
            hasScore |= std::abs(field.toDouble() - score) < 1e-12;
        QVERIFY2(hasScore, lines[1].constData());
    }

    void statistics_of_another_revision_wait_for_a_word() {
        const QString other = m_fixture->dataFolder() + QStringLiteral("/other.safetensors");
        QDir().mkpath(m_fixture->dataFolder());
        ExpertStats stats = load_expert_stats(sampleStatistics().toStdString());
        stats.model_hash = std::string(64, 'a');
        save_expert_stats(stats, other.toStdString());
        open();
        page().openModel(sampleModel());
        QTRY_VERIFY(session().data() != nullptr);
        session().open({.model = sampleModel(), .stats = other, .data = {}});
        auto* banner = m_fixture->find<Banner>("exp_other_banner");
        QTRY_VERIFY(banner->isVisible());
        QVERIFY(!session().data()->hasStats());
        m_fixture->shootBoth(QStringLiteral("experts-other-revision"));
        m_fixture->click("exp_other_use_btn");
        QVERIFY(session().data()->hasStats());
        QTRY_COMPARE(keptOf(session().plan()), keptOf(selected(24)));
        QVERIFY(!banner->isVisible());
    }

    void statistics_of_another_shape_are_refused() {
        const QString other = m_fixture->dataFolder() + QStringLiteral("/other.safetensors");
        QDir().mkpath(m_fixture->dataFolder());
        ExpertStats stats = load_expert_stats(sampleStatistics().toStdString());
        stats.model_hash = std::string(64, 'a');
        stats.layers.erase(5);
        save_expert_stats(stats, other.toStdString());
        open();
        session().open({.model = sampleModel(), .stats = other, .data = {}});
        auto* banner = m_fixture->find<Banner>("exp_banner");
        QTRY_VERIFY(banner->isVisible());
        QVERIFY2(banner->text().contains(QStringLiteral("32 experts in 5 layers")),
                 qPrintable(banner->text()));
        m_fixture->shootBoth(QStringLiteral("experts-error"));
    }

    void every_view_is_drawn_named_and_reached() {
        openSample();
        view().choose({{3, 7}});
        const QStringList names{QStringLiteral("map"),     QStringLiteral("layer"),
                                QStringLiteral("expert"),  QStringLiteral("tasks"),
                                QStringLiteral("compare"), QStringLiteral("table")};
        QCOMPARE(tabs().count(), names.size());
        for (int i = 0; i < tabs().count(); ++i) {
            tabs().setCurrentIndex(i);
            m_fixture->shootBoth(QStringLiteral("experts-") + names[i]);
            const QStringList complaints =
                keyboardComplaints(m_fixture->window()) + mnemonicComplaints(m_fixture->window());
            QVERIFY2(complaints.isEmpty(),
                     qPrintable(names[i] + QLatin1Char('\n') + complaints.join(QLatin1Char('\n'))));
        }
    }

    void every_view_fits_in_a_small_window_with_large_letters() {
        openSample();
        view().choose({{3, 7}});
        m_fixture->theme().setTextPercent(200);
        m_fixture->window().resize(1024, 640);
        QTRY_VERIFY(m_fixture->find("exp_apply_btn")->height() > 32);
        QTRY_COMPARE(m_fixture->window().size(), QSize(1024, 640));
        for (int i = 0; i < tabs().count(); ++i) {
            tabs().setCurrentIndex(i);
            QStringList complaints;
            QTRY_VERIFY2((complaints = elisionComplaints(m_fixture->window())).isEmpty(),
                         qPrintable(tabs().tabText(i) + QLatin1Char('\n') +
                                    complaints.join(QLatin1Char('\n'))));
            QCOMPARE(m_fixture->window().size(), QSize(1024, 640));
            m_fixture->shoot(QStringLiteral("experts-small-200-%1").arg(i));
            // Only the map, charts and tables scroll sideways.
            const auto* scroll = page().findChild<QScrollArea*>();
            QVERIFY2(scroll->widget()->width() <= scroll->viewport()->width(),
                     qPrintable(QStringLiteral("%1: %2 px wide, %3 are there")
                                    .arg(tabs().tabText(i))
                                    .arg(scroll->widget()->width())
                                    .arg(scroll->viewport()->width())));
        }
    }

    void closing_a_model_empties_every_view() {
        openSample();
        view().choose({{3, 7}});
        for (int i = 0; i < tabs().count(); ++i) tabs().setCurrentIndex(i);
        auto* table = m_fixture->find<QTableView>("exp_table_table");
        QCOMPARE(table->model()->rowCount(), 6 * 32);
        session().close();
        QVERIFY(session().data() == nullptr);
        QCOMPARE(table->model()->rowCount(), 0);
        QCOMPARE(view().matrixModel()->rowCount(), 0);
        QCOMPARE(m_fixture->find<QComboBox>("exp_layer_combo")->count(), 0);
        QCOMPARE(m_fixture->find<QTableView>("exp_tasks_table")->model()->rowCount(), 0);
        QVERIFY(m_fixture->find("exp_empty_btn")->isVisible());
        QVERIFY(!m_fixture->find("exp_apply_btn")->isEnabled());
        // And the next one fills them again.
        page().openModel(sampleModel());
        QTRY_COMPARE(session().plan().chooser, std::string("reap"));
        QCOMPARE(table->model()->rowCount(), 6 * 32);
        QCOMPARE(view().matrixModel()->rowCount(), 6);
        session().close();
        QVERIFY(session().plan().isEmpty());
    }

    void the_expert_that_the_boxes_name_shows_before_any_is_chosen() {
        openSample();
        auto* rows = m_fixture->find<InfoView>("exp_expert_view");
        QVERIFY(rows->value(QStringLiteral("positions")).isEmpty());
        tabs().setCurrentIndex(2);
        QVERIFY2(rows->value(QStringLiteral("positions")).endsWith(QStringLiteral("%")),
                 qPrintable(rows->value(QStringLiteral("positions"))));
        // Lists leave the charts room for their numbers, and the tab leaves the plan in sight.
        QTRY_VERIFY(m_fixture->find("exp_expert_gates_chart")->height() >=
                    8 * m_fixture->window().fontMetrics().lineSpacing());
        QTRY_COMPARE(page().findChild<QScrollArea*>()->verticalScrollBar()->maximum(), 0);
    }

    void texts_show_only_when_they_are_asked_for() {
        openSample();
        view().choose({{3, 7}});
        auto* text = m_fixture->find("exp_detail_text");
        QVERIFY(!text->isVisible());
        m_fixture->click("exp_detail_text_btn");
        QVERIFY(text->isVisible());
        QVERIFY(text->property("plainText").toString().contains(QStringLiteral("[range]")));
    }

    void applying_writes_the_model_without_the_experts() {
        openSample();
        const std::int32_t out = session().plan().layers.at(0)->kept[0];
        QVERIFY(session().edit(PlanEdit::Prune, {{0, {out}}}));
        m_fixture->press(Qt::Key_Return, Qt::ControlModifier);
        auto* sheet = m_fixture->find("dlgApply");
        QTRY_VERIFY(sheet->isVisible());
        QVERIFY(m_fixture->find("dlgApply_fill_radio")->isVisible());
        m_fixture->find<QLineEdit>("dlgApply_name_edit")->setText(QStringLiteral("cut"));
        QTest::mouseClick(m_fixture->find("dlgApply_cut_radio"), Qt::LeftButton, {}, {8, 12});
        QVERIFY(m_fixture->find<QRadioButton>("dlgApply_cut_radio")->isChecked());
        m_fixture->shootBoth(QStringLiteral("experts-apply"), sheet);
        m_fixture->click("dlgApply_start_btn");
        QTRY_COMPARE_WITH_TIMEOUT(m_fixture->runs().state(), JobState::Finished, 60'000);
        const QString result = m_fixture->dataFolder() + QStringLiteral("/runs/cut/01-prune/model");
        const auto cut = ModelSource::open(result.toStdString());
        QCOMPARE(cut->config().router.num_experts, std::int64_t{23});
        const ExpertPlan plan = load_expert_plan(
            (m_fixture->dataFolder() + QStringLiteral("/runs/cut/01-prune/plan.json"))
                .toStdString());
        QVERIFY(std::find(plan.layers.at(0).kept.begin(), plan.layers.at(0).kept.end(), out) ==
                plan.layers.at(0).kept.end());
        QCOMPARE(plan.layers.at(1).kept.size(), 23U);
        // What the result lacks is found by its weights, and shows as a plan of the original.
        m_fixture->window().showPage(QStringLiteral("experts"));
        view().choose({{1, session().plan().layers.at(1)->kept[5]}});
        QTest::keyClick(&view(), Qt::Key_L);
        QMenu* menu = m_fixture->window().findChild<QMenu*>(QStringLiteral("exp_plan_diff_menu"));
        menu->actions().first()->trigger();
        auto* dialog = m_fixture->window().findChild<QFileDialog*>(QStringLiteral("dlgFile"));
        QVERIFY(dialog != nullptr);
        Q_EMIT dialog->fileSelected(result);
        dialog->close();
        QTRY_COMPARE(session().plan().chooser, std::string("diff"));
        QCOMPARE(keptOf(session().plan()), keptOf(plan));
    }

    void a_run_leads_to_its_statistics() {
        addCalibration(*m_fixture);
        m_fixture->window().showPage(QStringLiteral("runs"));
        auto* table = m_fixture->find<QTableView>("runs_list_table");
        QTRY_COMPARE(table->model()->rowCount(), 1);
        table->setCurrentIndex(table->model()->index(0, 0));
        QTest::keyClick(table, Qt::Key_Return);
        auto* inspect = m_fixture->find("run_ctl_inspect_btn");
        QTRY_VERIFY(inspect->isVisible());
        m_fixture->click("run_ctl_inspect_btn");
        QTRY_VERIFY(session().data() && session().data()->hasStats());
        QVERIFY(page().isVisible());
    }

private:
    ExpertsPage& page() { return m_fixture->page(); }
    ExpertSession& session() { return m_fixture->session(); }
    HeatView& view() { return m_fixture->view(); }
    QTabWidget& tabs() { return m_fixture->tabs(); }
    QString planButton() { return m_fixture->find<QPushButton>("exp_plan_file_btn")->text(); }
    void open() { m_fixture->open(); }
    void openSample() { m_fixture->openSample(); }
    void measure() { m_fixture->measure(); }

    std::unique_ptr<ExpertsWindow> m_fixture;
};

QTEST_MAIN(ExpertsPageTest)
#include "tst_experts_page.moc"
