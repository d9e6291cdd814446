#include <QAbstractItemModelTester>
#include <QTableView>
#include <QTest>
#include <QToolButton>
#include <cmath>

#include "ui/charts/decimate.h"
#include "ui/charts/expert_charts.h"

using namespace espalier::ui;

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

    void the_summary_says_what_the_cut_keeps() {
        SaliencyChart chart(QStringLiteral("run_saliency_chart"));
        chart.setSaliency({1, 3, 0}, 1);
        const QString summary = chart.findChild<QWidget*>(QStringLiteral("run_saliency_chart"))
                                    ->accessibleDescription();
        QCOMPARE(summary, QStringLiteral("1 of 3 experts stay; they hold 75.0 % of the saliency."));
    }

    void csv_has_full_precision() {
        QCOMPARE(toCsv({{"a", "b"}, {{1, 0.1}, {2, 1.0 / 3}}}),
                 QByteArray("a,b\n1,0.1\n2,0.3333333333333333\n"));
    }
};

QTEST_MAIN(ChartsTest)
#include "tst_charts.moc"
