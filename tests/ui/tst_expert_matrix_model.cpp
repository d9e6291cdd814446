#include <QAbstractItemModelTester>
#include <QItemSelectionModel>
#include <QSignalSpy>
#include <QTest>
#include <cmath>

#include "ui/models/expert_matrix_model.h"
#include "ui/models/roles.h"

using namespace espalier::ui;

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// Layers 3 and 5 with four experts each.
ExpertMatrix small() {
    ExpertMatrix matrix;
    matrix.metric = QStringLiteral("saliency");
    matrix.numExperts = 4;
    matrix.layers = {3, 5};
    matrix.values = {0.4, 0.1, 0.3, 0.2, 0.05, 0.8, kNone, 0.2};
    return matrix;
}

ExpertMarks smallMarks() {
    ExpertMarks marks;
    marks.states.resize(8);
    marks.states[1] = CellState::Pruned;
    marks.states[4] = CellState::Pruned;
    marks.uncertain = {0, 1, 0, 0, 0, 0, 0, 0};
    marks.numKept = {3, 2};
    marks.shareKept = {0.9, 0.7};
    return marks;
}

QString accessible(const ExpertMatrixModel& model, int row, int column) {
    return model.index(row, column).data(ExpertMatrixModel::AccessibleTextRole).toString();
}

/// The ids of a row from left to right.
QString row(const ExpertMatrixModel& model, int index) {
    QStringList ids;
    for (int column = 0; column < model.columnCount(); ++column)
        ids.append(model.index(index, column).data(IdRole).toString());
    return ids.join(QLatin1Char(' '));
}

}  // namespace

class ExpertMatrixModelTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { QLocale::setDefault(QLocale::c()); }

    void init() {
        m_model = std::make_unique<ExpertMatrixModel>();
        m_tester = std::make_unique<QAbstractItemModelTester>(
            m_model.get(), QAbstractItemModelTester::FailureReportingMode::Fatal);
        m_model->setMatrix(small());
    }
    void cleanup() {
        m_tester.reset();
        m_model.reset();
    }

    void a_cell_says_what_it_is_in_the_words_of_the_screen_reader() {
        ExpertMatrix matrix = small();
        matrix.numExperts = 128;
        matrix.layers = {17};
        matrix.values.assign(128, 0.5);
        for (std::size_t i = 0; i < 128; ++i) matrix.values[i] = 1 - static_cast<double>(i) / 200;
        matrix.values[42] = 0.113;
        matrix.ranks = ranksInLayers(matrix.values, 128);
        matrix.ranks[42] = 97;
        matrix.marks.states.resize(128);
        matrix.marks.states[42] = CellState::Pruned;
        m_model->setMatrix(matrix);
        QCOMPARE(accessible(*m_model, 0, 42),
                 QStringLiteral("Layer 17, expert 42, saliency 0.113, rank 97 of 128, pruned"));
        QCOMPARE(m_model->index(0, 42).data(IdRole).toString(), QStringLiteral("L17.E042"));
    }

    void states_follow_in_words_data() {
        QTest::addColumn<CellStates>("states");
        QTest::addColumn<bool>("isUncertain");
        QTest::addColumn<QString>("words");
        const CellStates none;
        QTest::addRow("undecided") << none << false << QString();
        QTest::addRow("pruned, near the cut")
            << CellStates(CellState::Pruned) << true << QStringLiteral("pruned, uncertain");
        QTest::addRow("by hand") << (CellState::Pruned | CellState::ForcedOut) << false
                                 << QStringLiteral("forced out");
        QTest::addRow("kept twice") << (CellState::Locked | CellState::Protected) << false
                                    << QStringLiteral("locked, protected");
        QTest::addRow("idle") << CellStates(CellState::NeverRouted) << false
                              << QStringLiteral("never routed");
    }
    void states_follow_in_words() {
        QFETCH(CellStates, states);
        QFETCH(bool, isUncertain);
        QFETCH(QString, words);
        QCOMPARE(stateText(states, isUncertain), words);
    }

    void a_merged_expert_says_into_which() {
        ExpertMarks marks;
        marks.states = {CellStates(CellState::Merged), CellStates(CellState::Pruned), {}};
        QCOMPARE(marks.textOf(0), QStringLiteral("merged"));
        marks.mergedInto = {12, -1, -1};
        QCOMPARE(marks.textOf(0), QStringLiteral("merged into 12"));
        QCOMPARE(marks.textOf(1), QStringLiteral("pruned"));
        QCOMPARE(marks.textOf(2), QString());
        QCOMPARE(marks.textOf(3), QString());
    }

    void a_cell_without_a_value_says_so() {
        QCOMPARE(accessible(*m_model, 1, 2), QStringLiteral("Layer 5, expert 2, no saliency"));
        QVERIFY(std::isnan(m_model->index(1, 2).data(ExpertMatrixModel::ValueRole).toDouble()));
    }

    void differences_bear_a_sign_and_their_unit() {
        ExpertMatrix matrix = small();
        matrix.isDifference = true;
        matrix.unit = QStringLiteral("%");
        m_model->setMatrix(matrix);
        QCOMPARE(accessible(*m_model, 0, 0),
                 QStringLiteral("Layer 3, expert 0, saliency +0.4 %, rank 1 of 4"));
        QVERIFY(m_model->scaled().isDiverging());
        QCOMPARE(m_model->scaled().limits(), (MatrixLimits{-0.8, 0.8}));
        QCOMPARE(m_model->scaled().position(0), 0.5);
    }

    void marks_change_cells_in_place() {
        QSignalSpy resets(m_model.get(), &QAbstractItemModel::modelReset);
        QSignalSpy changes(m_model.get(), &QAbstractItemModel::dataChanged);
        m_model->updateStates(smallMarks());
        QCOMPARE(changes.count(), 1);
        QCOMPARE(resets.count(), 0);
        const QModelIndex pruned = m_model->index(0, 1);
        QCOMPARE(pruned.data(ExpertMatrixModel::StateRole).value<CellStates>(),
                 CellStates(CellState::Pruned));
        QVERIFY(pruned.data(ExpertMatrixModel::UncertainRole).toBool());
        QCOMPARE(m_model->keptText(0), QStringLiteral("3/4"));
        QCOMPARE(m_model->shareKept(1), std::optional(0.7));
        QCOMPARE(m_model->headerData(0, Qt::Vertical, Qt::AccessibleTextRole).toString(),
                 QStringLiteral("layer 3, 3 of 4 experts stay, 90.0 % of the saliency"));
        m_model->updateStates(smallMarks());
        QCOMPARE(changes.count(), 1);  // nothing new
    }

    void numbers_of_the_same_shape_keep_the_selection() {
        QItemSelectionModel selection(m_model.get());
        selection.select(m_model->index(1, 3), QItemSelectionModel::Select);
        QSignalSpy resets(m_model.get(), &QAbstractItemModel::modelReset);
        ExpertMatrix other = small();
        other.values[0] = 9;
        m_model->setMatrix(other);
        QCOMPARE(resets.count(), 0);
        QVERIFY(selection.isSelected(m_model->index(1, 3)));
        other.layers = {3, 6};
        m_model->setMatrix(other);
        QCOMPARE(resets.count(), 1);
    }

    void experts_by_value_stand_at_their_rank() {
        QItemSelectionModel selection(m_model.get());
        selection.select(m_model->index(1, 1), QItemSelectionModel::Select);  // L5.E001
        m_model->setExpertOrder(ExpertOrder::Value);
        QCOMPARE(row(*m_model, 0), QStringLiteral("L3.E000 L3.E002 L3.E003 L3.E001"));
        QCOMPARE(row(*m_model, 1), QStringLiteral("L5.E001 L5.E003 L5.E000 L5.E002"));
        QVERIFY(selection.isSelected(m_model->index(1, 0)));
        QCOMPARE(m_model->columnWord(), QStringLiteral("rank"));
        QCOMPARE(m_model->headerData(0, Qt::Horizontal, Qt::AccessibleTextRole).toString(),
                 QStringLiteral("rank 1"));
        QCOMPARE(m_model->indexOf({5, 3}), m_model->index(1, 1));
        m_model->setExpertOrder(ExpertOrder::Number);
        QVERIFY(selection.isSelected(m_model->index(1, 1)));
        QCOMPARE(m_model->headerData(0, Qt::Horizontal, Qt::AccessibleTextRole).toString(),
                 QStringLiteral("expert 0"));
    }

    void new_values_move_the_cells_of_a_sorted_row() {
        m_model->setExpertOrder(ExpertOrder::Value);
        const QPersistentModelIndex lowest = m_model->indexOf({3, 1});
        ExpertMatrix other = small();
        other.values[1] = 7;
        m_model->setMatrix(other);
        QCOMPARE(QModelIndex(lowest), m_model->index(0, 0));
    }

    void experts_by_group_stay_in_the_order_of_their_numbers() {
        ExpertMatrix matrix = small();
        matrix.groups = {1, 0, 1, 0, 0, 0, 1, 1};
        m_model->setMatrix(matrix);
        m_model->setExpertOrder(ExpertOrder::Group);
        QCOMPARE(row(*m_model, 0), QStringLiteral("L3.E001 L3.E003 L3.E000 L3.E002"));
    }

    void layers_can_follow_what_they_keep() {
        m_model->updateStates(smallMarks());
        m_model->setLayerOrder(LayerOrder::ShareKept);
        QCOMPARE(row(*m_model, 0), QStringLiteral("L5.E000 L5.E001 L5.E002 L5.E003"));
        ExpertMarks marks = smallMarks();
        marks.shareKept = {0.5, 0.7};
        m_model->updateStates(marks);
        QCOMPARE(m_model->cellAt(0, 0).layer, 3);
    }

    void scales_give_their_own_numbers() {
        const auto shown = [this](std::size_t cell) { return m_model->scaled().shown(cell); };
        QCOMPARE(shown(0), 0.4);
        m_model->setScale(MatrixScale::Rank);
        QCOMPARE(shown(0), 1.0);
        QCOMPARE(m_model->scaled().fraction(0), 1.0F);  // the first rank is the high end
        QCOMPARE(m_model->scaled().fraction(1), 0.0F);
        QVERIFY(std::isnan(shown(6)));
        m_model->setScale(MatrixScale::ZScore);
        // 0.4, 0.1, 0.3, 0.2: mean 0.25, deviation sqrt(0.0125)
        QVERIFY(std::abs(shown(0) - 0.15 / std::sqrt(0.0125)) < 1e-12);
        m_model->setScale(MatrixScale::Log);
        QCOMPARE(m_model->scaled().limits(), (MatrixLimits{0.05, 0.8}));
        QVERIFY(std::abs(m_model->scaled().fraction(3) - 0.5F) < 1e-6F);  // 0.2, the geometric mean
    }

    void a_logarithm_leaves_out_and_counts_what_is_not_positive() {
        ExpertMatrix matrix = small();
        matrix.values[1] = 0;
        matrix.values[2] = -1;
        m_model->setMatrix(matrix);
        m_model->setScale(MatrixScale::Log);
        QVERIFY(std::isnan(m_model->scaled().fraction(1)));
        QCOMPARE(m_model->scaled().numNotPositive(), std::size_t{2});
    }

    void limits_are_the_first_and_the_last_percentile() {
        ExpertMatrix matrix = small();
        matrix.numExperts = 101;
        matrix.layers = {0};
        matrix.values.resize(101);
        for (std::size_t i = 0; i <= 100; ++i) matrix.values[i] = static_cast<double>(i);
        matrix.values[100] = 1e9;  // a spike
        m_model->setMatrix(matrix);
        QCOMPARE(m_model->scaled().limits(), (MatrixLimits{1, 99}));
        QCOMPARE(m_model->scaled().fraction(100), 1.0F);
        QCOMPARE(m_model->scaled().fraction(50), 0.5F);
    }

    void typed_limits_hold_until_the_scale_changes() {
        QVERIFY(m_model->setFixedLimits(MatrixLimits{0, 2}));
        QCOMPARE(m_model->scaled().fraction(5), 0.4F);
        QVERIFY(!m_model->setFixedLimits(MatrixLimits{2, 2}));
        QCOMPARE(m_model->scaled().limits(), (MatrixLimits{0, 2}));
        m_model->setScale(MatrixScale::Log);
        QVERIFY(!m_model->hasFixedLimits());
        QVERIFY(!m_model->setFixedLimits(MatrixLimits{0, 2}));  // no logarithm
    }

    void equal_values_lie_in_the_middle() {
        ExpertMatrix matrix = small();
        matrix.values.assign(8, 3.0);
        m_model->setMatrix(matrix);
        QCOMPARE(m_model->scaled().fraction(0), 0.5F);
    }

    void the_cut_is_marked_where_what_is_shown_follows_it() {
        QVERIFY(!m_model->cut());  // no plan
        m_model->updateStates(smallMarks());
        // Layer 3: 0.1 goes, 0.2 stays; layer 5: 0.05 goes, 0.2 stays.
        const auto cut = m_model->cut();
        QVERIFY(cut.has_value());
        QVERIFY(std::abs(cut->low - 0.125) < 1e-12);
        QVERIFY(std::abs(cut->high - 0.15) < 1e-12);
        ExpertMarks marks = smallMarks();
        marks.states[0] = CellState::Pruned;  // the highest goes by its score: not by this one
        m_model->updateStates(marks);
        QVERIFY(!m_model->cut());
        marks.states[0] = CellState::ForcedOut;  // by hand: says nothing of the cut
        m_model->updateStates(marks);
        QVERIFY(m_model->cut().has_value());
    }

    void an_empty_matrix_has_no_cells() {
        m_model->setMatrix({});
        QCOMPARE(m_model->rowCount(), 0);
        QCOMPARE(m_model->columnCount(), 0);
        QVERIFY(!m_model->indexOf({3, 0}).isValid());
    }

private:
    std::unique_ptr<ExpertMatrixModel> m_model;
    std::unique_ptr<QAbstractItemModelTester> m_tester;
};

QTEST_MAIN(ExpertMatrixModelTest)
#include "tst_expert_matrix_model.moc"
