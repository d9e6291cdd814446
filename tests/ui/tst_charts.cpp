#include <QAbstractItemModelTester>
#include <QChartView>
#include <QDir>
#include <QLabel>
#include <QSignalSpy>
#include <QTableView>
#include <QTest>
#include <QToolButton>
#include <cmath>

#include "ui/charts/decimate.h"
#include "ui/charts/expert_charts.h"
#include "ui/charts/frontier_chart.h"
#include "ui/charts/gate_histogram.h"
#include "ui/charts/layer_chart.h"
#include "ui/charts/rounds_chart.h"
#include "ui/charts/routing_chart.h"
#include "ui/charts/stability_chart.h"
#include "ui/charts/task_chart.h"
#include "ui/theme/theme_controller.h"

using namespace espalier::ui;

namespace {

QString summaryOf(const ChartPanel& chart) {
    return chart.findChild<QChartView*>()->accessibleDescription();
}

/// The table behind a chart, cell by cell as it is shown.
QString cell(const ChartPanel& chart, int row, int column) {
    return chart.findChild<QTableView*>()->model()->index(row, column).data().toString();
}

int rows(const ChartPanel& chart) { return chart.findChild<QTableView*>()->model()->rowCount(); }

std::vector<std::int64_t> gateCounts() {
    std::vector<std::int64_t> counts(32);
    for (std::size_t i = 0; i < 32; ++i)
        counts[i] = static_cast<std::int64_t>(5000 * std::exp(-static_cast<double>(i) / 4));
    return counts;
}

std::vector<FrontierPoint> plans() {
    return {{1, QStringLiteral("Plan 1"), 18.0, 0.01, true, false},
            {2, QStringLiteral("Plan 2"), 13.1, 0.041, true, true},
            {3, QStringLiteral("Plan 3"), 9.0, 0.2, false, false},
            {4, QStringLiteral("Plan 4"), 14.0, 0.09, true, false}};
}

/// A hundred and twenty-eight experts, the last quarter of them removed.
std::vector<LayerExpert> layer() {
    std::vector<LayerExpert> experts;
    for (std::int32_t i = 0; i < 128; ++i)
        experts.push_back({i, std::exp(-((i * 37) % 128) / 40.0), (i * 37) % 128 < 96});
    return experts;
}

}  // namespace

class ChartsTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void decimation_keeps_every_spike() {
        QList<QPointF> points;
        for (int i = 0; i < 100'000; ++i) points.append({double(i), std::sin(i / 500.0)});
        points[31'415].setY(99);
        points[77'777].setY(-99);
        const auto drawn = decimate(points);
        QVERIFY(drawn.size() <= maxDrawnPoints);
        QVERIFY(drawn.contains(points[31'415]));
        QVERIFY(drawn.contains(points[77'777]));
        QCOMPARE(drawn.first(), points.first());
        QCOMPARE(drawn.last(), points.last());
        QVERIFY(std::is_sorted(drawn.begin(), drawn.end(),
                               [](auto& a, auto& b) { return a.x() < b.x(); }));
    }

    void decimation_leaves_out_what_is_not_finite() {
        const auto drawn = decimate({{0, 1}, {1, std::nan("")}, {2, INFINITY}, {3, 4}});
        QCOMPARE(drawn, (QList<QPointF>{{0, 1}, {3, 4}}));
    }

    void an_empty_chart_offers_neither_table_nor_export() {
        LoadChart chart(QStringLiteral("run_load_chart"));
        QVERIFY(!chart.findChild<QToolButton*>(QStringLiteral("run_load_chart_table_btn"))
                     ->isEnabled());
        chart.setLoad({0.75, 0.25}, {0});
        QVERIFY(
            chart.findChild<QToolButton*>(QStringLiteral("run_load_chart_table_btn"))->isEnabled());
    }

    void t_shows_the_same_figures_as_a_table() {
        SaliencyChart chart(QStringLiteral("run_saliency_chart"));
        chart.setSaliency({0.1, 0.4, 0.2}, 2);
        chart.show();
        QVERIFY(QTest::qWaitForWindowExposed(&chart));
        chart.activateWindow();
        chart.findChild<QWidget*>(QStringLiteral("run_saliency_chart"))->setFocus();
        QTest::keyClick(QApplication::focusWidget(), Qt::Key_T);
        QVERIFY(chart.showsTable());
        const auto* model = chart.findChild<QTableView*>()->model();
        QCOMPARE(model->rowCount(), 3);
        QCOMPARE(model->index(0, 1).data().toString(), QLocale().toString(0.4, 'g', 4));
        QCOMPARE(model->index(2, 2).data().toString(), QStringLiteral("0"));
    }

    void routing_is_drawn_by_layer_and_names_the_worst() {
        RoutingChart chart(QStringLiteral("run_routing_chart"));
        chart.setLayers({{0, 1.0, 1.0, 0}, {1, 0.5, 0.9, 0.1}, {2, 0.75, 1.0, 0.02}});
        chart.setShowsTable(true);
        const auto* model = chart.findChild<QTableView*>()->model();
        QCOMPARE(model->rowCount(), 3);
        QCOMPARE(model->index(1, 1).data().toString(), QStringLiteral("50"));
        QCOMPARE(model->index(1, 2).data().toString(), QStringLiteral("90"));
        const auto* view = chart.findChild<QWidget*>(QStringLiteral("run_routing_chart"));
        QVERIFY(view->accessibleDescription().contains(QStringLiteral("layer 1")));
    }

    void the_summary_says_what_the_cut_keeps() {
        SaliencyChart chart(QStringLiteral("run_saliency_chart"));
        chart.setSaliency({1, 3, 0}, 1);
        const QString summary = chart.findChild<QWidget*>(QStringLiteral("run_saliency_chart"))
                                    ->accessibleDescription();
        QCOMPARE(summary, QStringLiteral("1 of 3 experts stay; they hold 75.0 % of the saliency."));
    }

    void the_histogram_says_how_large_gates_are() {
        GateHistogram chart(QStringLiteral("exp_gate_chart"));
        QVERIFY(!chart.findChild<QToolButton*>(QStringLiteral("exp_gate_chart_table_btn"))
                     ->isEnabled());
        std::vector<std::int64_t> counts(32);
        counts[0] = 30;   // gates around 1/64
        counts[31] = 10;  // gates around 63/64
        chart.setCounts(counts);
        QCOMPARE(rows(chart), 32);
        QCOMPARE(cell(chart, 31, 2), QStringLiteral("10"));
        QCOMPARE(cell(chart, 16, 0), QLocale().toString(0.5, 'g', 4));
        QCOMPARE(summaryOf(chart),
                 QStringLiteral("40 tokens chose this expert, with a gate of 0.26 on average; "
                                "25.0 % of them with more than one half."));
        chart.setLogarithmic(true);
        QCOMPARE(cell(chart, 31, 2), QStringLiteral("10"));  // the table stays with the counts
        chart.setCounts(std::vector<std::int64_t>(32));
        QCOMPARE(summaryOf(chart), QStringLiteral("No token chose this expert."));
        chart.clear();
        QCOMPARE(rows(chart), 0);
    }

    void the_layer_stands_highest_first_with_what_it_holds_together() {
        LayerChart chart(QStringLiteral("exp_layer_chart"));
        chart.setExperts({{0, 1, false}, {1, 5, true}, {2, 4, true}}, QStringLiteral("saliency"),
                         true);
        QCOMPARE(cell(chart, 0, 1), QStringLiteral("1"));
        QCOMPARE(cell(chart, 1, 3), QStringLiteral("90"));
        QCOMPARE(cell(chart, 2, 4), QStringLiteral("0"));
        QCOMPARE(summaryOf(chart),
                 QStringLiteral("2 of 3 experts stay; they hold 90.0 % of the whole."));
        chart.setExperts({{0, 1, false}, {1, 5, false}}, QStringLiteral("saliency"), false);
        QCOMPARE(summaryOf(chart), QStringLiteral("2 experts, highest 5, lowest 1."));
        QCOMPARE(cell(chart, 1, 4), QStringLiteral("1"));  // undecided stays
    }

    void merged_experts_are_told_from_removed_ones() {
        LayerChart chart(QStringLiteral("exp_layer_chart"));
        chart.setExperts({{0, 1, false, true}, {1, 5, true}, {2, 4, true}, {3, 2, false}},
                         QStringLiteral("saliency"), true);
        QCOMPARE(cell(chart, 3, 1), QStringLiteral("0"));
        QCOMPARE(cell(chart, 3, 5), QStringLiteral("1"));
        QCOMPARE(cell(chart, 2, 5), QStringLiteral("0"));
        QCOMPARE(summaryOf(chart),
                 QStringLiteral("2 of 4 experts stay, 1 become part of them; those that stay hold "
                                "75.0 % of the whole."));
    }

    void rounds_are_points() {
        RoundsChart chart(QStringLiteral("run_rounds_chart"));
        QVERIFY(summaryOf(chart).isEmpty());
        chart.setRounds({{1, 30, 0.001, 0.99, 3.1, 0, {}}, {2, 28, 0.02, 0.95, 3.2, 1, {}}});
        QCOMPARE(cell(chart, 1, 1), QStringLiteral("28"));
        QCOMPARE(cell(chart, 1, 4), QStringLiteral("95"));
        QCOMPARE(cell(chart, 1, 6), QStringLiteral("1"));
        QCOMPARE(summaryOf(chart),
                 QStringLiteral("2 rounds, to 28 experts a layer and a divergence of 0.02."));
        chart.setRounds({{1, 30, 0.001, 0.99, 3.1, 0, 0.93}});
        QCOMPARE(cell(chart, 0, 3), QStringLiteral("93"));
        QCOMPARE(summaryOf(chart),
                 QStringLiteral("1 rounds, to 30 experts a layer, a divergence of 0.001 and "
                                "93.0 % of the choices kept."));
    }

    void tasks_have_names_in_the_table() {
        TaskChart chart(QStringLiteral("exp_task_chart"));
        chart.setShares({QStringLiteral("code"), QStringLiteral("chat")}, {0.021, 0.3}, {});
        QCOMPARE(cell(chart, 1, 0), QStringLiteral("chat"));
        QCOMPARE(cell(chart, 1, 1), QStringLiteral("30"));
        QCOMPARE(summaryOf(chart), QStringLiteral("code 2.1 %, chat 30.0 %"));
        chart.setShares({QStringLiteral("code")}, {0.5}, {0.25});
        QCOMPARE(cell(chart, 0, 2), QStringLiteral("25"));
    }

    void both_halves_agree_where_both_keep() {
        StabilityChart chart(QStringLiteral("exp_stability_chart"));
        chart.setHalves({4, 3, 2, 1}, {4, 1, 3, 2}, 2);
        QCOMPARE(chart.numAgreed(), 1);
        QCOMPARE(cell(chart, 0, 3), QStringLiteral("2"));
        QCOMPARE(cell(chart, 1, 3), QStringLiteral("1"));
        QCOMPARE(cell(chart, 3, 3), QStringLiteral("0"));
        QCOMPARE(summaryOf(chart),
                 QStringLiteral("Each half of the data keeps 2 of 4 experts; 1 are the same."));
        chart.setHalves({1, 2}, {1, 2}, 5);  // more than there are
        QCOMPARE(chart.numAgreed(), 2);
    }

    void a_plan_is_gone_back_to_by_key_and_by_click() {
        FrontierChart chart(QStringLiteral("exp_plan_points_chart"));
        chart.setPoints(plans());
        chart.resize(600, 400);
        chart.show();
        QVERIFY(QTest::qWaitForWindowExposed(&chart));
        chart.activateWindow();
        auto* view = chart.findChild<QChartView*>();
        view->setFocus();
        QSignalSpy activated(&chart, &FrontierChart::pointActivated);
        // From the smallest to the greatest.
        QTest::keyClick(view, Qt::Key_Right);
        QTest::keyClick(view, Qt::Key_Return);
        QCOMPARE(activated.last().at(0).toInt(), 2);
        QCOMPARE(summaryOf(chart),
                 QStringLiteral("3 plans measured, 1 predicted. Point 2 of 4: Plan 2: size, GB "
                                "13.1, KL 0.041, the plan in force. Enter goes back to it."));
        QTest::keyClick(view, Qt::Key_Left);
        QVERIFY(summaryOf(chart).contains(QStringLiteral("KL ≈ 0.2")));
        QTest::mouseClick(view->viewport(), Qt::LeftButton, {}, chart.placeOf(4).toPoint());
        QCOMPARE(activated.count(), 2);
        QCOMPARE(activated.last().at(0).toInt(), 4);
        QTest::mouseClick(view->viewport(), Qt::LeftButton, {},
                          chart.placeOf(4).toPoint() + QPoint(0, -40));
        QCOMPARE(activated.count(), 2);
        QCOMPARE(cell(chart, 3, 0), QStringLiteral("Plan 1"));
        QCOMPARE(cell(chart, 0, 3), QStringLiteral("0"));
    }

    void points_that_are_not_finite_are_left_out() {
        FrontierChart chart(QStringLiteral("exp_plan_points_chart"));
        std::vector<FrontierPoint> points = plans();
        points[0].kl = std::nan("");
        chart.setPoints(points);
        QCOMPARE(rows(chart), 3);
        chart.clear();
        QCOMPARE(rows(chart), 0);
    }

    void names_with_commas_stay_one_cell() {
        const ChartTable table{{"task", "a"}, {{1}, {std::nan("")}}, {"x, y", "say \"z\""}};
        QCOMPARE(toCsv(table), QByteArray("task,a\n\"x, y\",1\n\"say \"\"z\"\"\",\n"));
        QCOMPARE(toTsv(table), QByteArray("task\ta\nx, y\t1\n\"say \"\"z\"\"\"\t\n"));
        ChartTableModel model;
        const QAbstractItemModelTester tester(
            &model, QAbstractItemModelTester::FailureReportingMode::Fatal);
        model.setTable(table);
        QCOMPARE(model.index(0, 0).data().toString(), QStringLiteral("x, y"));
        QCOMPARE(model.index(1, 1).data().toString(), QStringLiteral("–"));
    }

    void pictures() {
        const QString folder = qEnvironmentVariable("ESPALIER_SHOTS");
        if (folder.isEmpty()) QSKIP("no folder for them");
        QDir().mkpath(folder);
        ThemeController theme;
        GateHistogram gates(QStringLiteral("gate"));
        gates.setCounts(gateCounts());
        GateHistogram logGates(QStringLiteral("gate_log"));
        logGates.setCounts(gateCounts());
        logGates.setLogarithmic(true);
        LayerChart bars(QStringLiteral("layer"));
        bars.setExperts(layer(), QStringLiteral("saliency"), true);
        TaskChart tasks(QStringLiteral("task"));
        tasks.setShares({"code", "chat", "tools"}, {0.012, 0.031, 0.002}, {0.0078, 0.0078, 0.0078});
        StabilityChart halves(QStringLiteral("halves"));
        std::vector<double> first;
        std::vector<double> second;
        for (const LayerExpert& row : layer()) {
            first.push_back(row.value);
            second.push_back(row.value * (1 + 0.2 * std::sin(row.expert)));
        }
        halves.setHalves(first, second, 96);
        FrontierChart frontier(QStringLiteral("frontier"));
        frontier.setPoints(plans());
        for (const ThemeMode mode : {ThemeMode::Light, ThemeMode::Dark}) {
            theme.setMode(mode);
            for (ChartPanel* chart :
                 {static_cast<ChartPanel*>(&gates), static_cast<ChartPanel*>(&logGates),
                  static_cast<ChartPanel*>(&bars), static_cast<ChartPanel*>(&tasks),
                  static_cast<ChartPanel*>(&halves), static_cast<ChartPanel*>(&frontier)}) {
                chart->resize(560, 340);
                chart->show();
                QVERIFY(QTest::qWaitFor(
                    [&] { return variantOf(chart->palette()) == theme.variant(); }));
                const auto* view = chart->findChild<QChartView*>();
                chart->grab().save(QStringLiteral("%1/%2-%3.png")
                                       .arg(folder, view->objectName(),
                                            mode == ThemeMode::Light ? QStringLiteral("light")
                                                                     : QStringLiteral("dark")));
            }
        }
    }

    void csv_has_full_precision() {
        QCOMPARE(toCsv({{"a", "b"}, {{1, 0.1}, {2, 1.0 / 3}}}),
                 QByteArray("a,b\n1,0.1\n2,0.3333333333333333\n"));
    }
};

QTEST_MAIN(ChartsTest)
#include "tst_charts.moc"
