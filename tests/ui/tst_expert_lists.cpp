#include <QAbstractItemModelTester>
#include <QSignalSpy>
#include <QSortFilterProxyModel>
#include <QTest>
#include <cmath>

#include "ui/models/contexts_model.h"
#include "ui/models/expert_table_model.h"
#include "ui/models/related_experts_model.h"
#include "ui/models/roles.h"
#include "ui/models/table_text.h"

using namespace espalier;
using namespace espalier::ui;

namespace {

/// Layers 2 and 4 with two experts each.
ExpertMatrix small() {
    ExpertMatrix matrix;
    matrix.numExperts = 2;
    matrix.layers = {2, 4};
    matrix.values = {1, 2, 3, 4};
    matrix.marks.states = {CellState::Locked, {}, CellState::Pruned, {}};
    return matrix;
}

std::vector<ExpertColumn> columns() {
    return {{QStringLiteral("count"),
             QStringLiteral("tokens"),
             QStringLiteral("how often"),
             {10, 200, 0, 30}},
            {QStringLiteral("gate"),
             QStringLiteral("gate, mean"),
             {},
             {1.0 / 3, 0.5, std::nan(""), 0.25}}};
}

QString cell(const QAbstractItemModel& model, int row, int column) {
    return model.index(row, column).data().toString();
}

TopContext context(double gate, const char* before, const char* token, const char* after) {
    TopContext found;
    found.gate = gate;
    found.row = 7;
    found.window = 2;
    found.position = 14;
    found.task = 1;
    found.before = before;
    found.text = token;
    found.after = after;
    return found;
}

}  // namespace

class ExpertListsTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { QLocale::setDefault(QLocale::c()); }

    void the_table_has_a_row_for_every_expert() {
        ExpertTableModel model;
        const QAbstractItemModelTester tester(
            &model, QAbstractItemModelTester::FailureReportingMode::Fatal);
        model.setExperts(small(), columns());
        QCOMPARE(model.rowCount(), 4);
        QCOMPARE(model.columnCount(), 5);
        QCOMPARE(cell(model, 2, ExpertTableModel::Layer), QStringLiteral("4"));
        QCOMPARE(cell(model, 2, ExpertTableModel::Expert), QStringLiteral("0"));
        QCOMPARE(cell(model, 2, ExpertTableModel::State), QStringLiteral("pruned"));
        QCOMPARE(model.index(1, ExpertTableModel::State).data(Qt::AccessibleTextRole).toString(),
                 QStringLiteral("kept"));
        QCOMPARE(cell(model, 1, 3), QStringLiteral("200"));
        QCOMPARE(cell(model, 0, 4), QStringLiteral("0.3333"));
        QCOMPARE(cell(model, 2, 4), QStringLiteral("–"));
        QCOMPARE(model.index(2, 0).data(IdRole).toString(), QStringLiteral("L4.E000"));
        QCOMPARE(model.indexOf({4, 1}), model.index(3, 0));
        QVERIFY(!model.indexOf({3, 1}).isValid());
        QCOMPARE(model.headerData(3, Qt::Horizontal, Qt::ToolTipRole).toString(),
                 QStringLiteral("how often"));
    }

    void the_table_sorts_by_number_and_keeps_its_rows_when_states_change() {
        ExpertTableModel model;
        model.setExperts(small(), columns());
        QSortFilterProxyModel sorted;
        sorted.setSourceModel(&model);
        sorted.setSortRole(Qt::EditRole);
        sorted.sort(3, Qt::DescendingOrder);
        QCOMPARE(cell(sorted, 0, 3), QStringLiteral("200"));
        QCOMPARE(cell(sorted, 1, 3), QStringLiteral("30"));
        QCOMPARE(cell(sorted, 3, 3), QStringLiteral("0"));
        QSignalSpy resets(&model, &QAbstractItemModel::modelReset);
        ExpertMarks marks = small().marks;
        marks.states[1] = CellState::ForcedOut;
        model.updateStates(marks);
        QCOMPARE(resets.count(), 0);
        QCOMPARE(cell(sorted, 0, ExpertTableModel::State), QStringLiteral("forced out"));
    }

    void a_table_goes_out_in_full_precision_and_in_its_order() {
        ExpertTableModel model;
        model.setExperts(small(), columns());
        QSortFilterProxyModel sorted;
        sorted.setSourceModel(&model);
        sorted.setSortRole(Qt::EditRole);
        sorted.sort(3, Qt::DescendingOrder);
        QCOMPARE(tableText(sorted, TableFormat::Csv),
                 QByteArray("Layer,Expert,State,tokens,\"gate, mean\"\n"
                            "2,1,,200,0.5\n4,1,,30,0.25\n"
                            "2,0,locked,10,0.3333333333333333\n4,0,pruned,0,\n"));
        QVERIFY(tableText(sorted, TableFormat::Tsv)
                    .startsWith("Layer\tExpert\tState\ttokens\tgate, mean\n"));
    }

    void related_experts_stand_strongest_first() {
        RelatedExpertsModel model(RelatedExpertsModel::Measure::TokenShare);
        const QAbstractItemModelTester tester(
            &model, QAbstractItemModelTester::FailureReportingMode::Fatal);
        model.setExperts({{{17, 88}, 0.17}, {{17, 3}, 0.41}});
        QCOMPARE(cell(model, 0, RelatedExpertsModel::Expert), QStringLiteral("3"));
        QCOMPARE(cell(model, 0, RelatedExpertsModel::Strength), QStringLiteral("41.0 %"));
        QCOMPARE(model.index(1, 0).data(IdRole).toString(), QStringLiteral("L17.E088"));
        RelatedExpertsModel nearest(RelatedExpertsModel::Measure::Similarity);
        nearest.setExperts({{{0, 1}, 0.934}});
        QCOMPARE(cell(nearest, 0, RelatedExpertsModel::Strength), QStringLiteral("0.93"));
    }

    void contexts_show_their_text_only_when_asked() {
        ContextsModel model;
        const QAbstractItemModelTester tester(
            &model, QAbstractItemModelTester::FailureReportingMode::Fatal);
        model.setContexts({context(0.875, "wie\n", "der", " Hund"), context(0.5, "", "", "")},
                          {QStringLiteral("code"), QStringLiteral("chat")});
        QCOMPARE(cell(model, 0, ContextsModel::Text), QStringLiteral("window 3, token 15"));
        QVERIFY(model.index(0, 0).data(ContextsModel::TokenRole).toString().isEmpty());
        model.setShowsText(true);
        QCOMPARE(cell(model, 0, ContextsModel::Text), QStringLiteral("wie↵⟦der⟧ Hund"));
        QCOMPARE(model.index(0, 0).data(ContextsModel::TokenRole).toString(),
                 QStringLiteral("der"));
        // A model without a tokenizer has no texts.
        QCOMPARE(cell(model, 1, ContextsModel::Text), QStringLiteral("window 3, token 15"));
        QCOMPARE(cell(model, 0, ContextsModel::Gate), QStringLiteral("0.88"));
        QCOMPARE(cell(model, 0, ContextsModel::Task), QStringLiteral("chat"));
    }
};

QTEST_MAIN(ExpertListsTest)
#include "tst_expert_lists.moc"
