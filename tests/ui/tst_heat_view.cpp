#include <QAccessible>
#include <QApplication>
#include <QDir>
#include <QHeaderView>
#include <QLineEdit>
#include <QPushButton>
#include <QScrollBar>
#include <QSignalSpy>
#include <QTest>
#include <QWheelEvent>

#include "heat_sample.h"
#include "ui/models/cell_number.h"
#include "ui/models/expert_matrix_model.h"
#include "ui/models/roles.h"
#include "ui/theme/theme_controller.h"
#include "ui/widgets/heat_gradient.h"
#include "ui/widgets/heat_legend.h"
#include "ui/widgets/heat_map.h"
#include "ui/widgets/heat_overview.h"
#include "ui/widgets/heat_view.h"

using namespace espalier::ui;

namespace {

using Cells = QList<ExpertCell>;

Cells cellsOf(const QSignalSpy& spy) { return spy.last().at(0).value<Cells>(); }

/// The map of a model in a shown window.
struct Shown {
    ThemeController theme;
    ExpertMatrixModel model;
    std::unique_ptr<HeatMap> map;

    explicit Shown(const ExpertMatrix& matrix, QSize size = {900, 480}) {
        theme.setMode(ThemeMode::Light);
        model.setMatrix(matrix);
        map = std::make_unique<HeatMap>(QStringLiteral("exp_map_heat_view"), model);
        map->resize(size);
        map->show();
        map->activateWindow();
        if (!QTest::qWaitForWindowActive(map.get())) qFatal("no window");
        view().setFocus();
    }
    HeatView& view() const { return map->view(); }
    void click(int row, int column, Qt::KeyboardModifiers modifiers = Qt::NoModifier) const {
        QTest::mouseClick(view().viewport(), Qt::LeftButton, modifiers,
                          view().cellCenter(row, column));
    }
    void press(Qt::Key key, Qt::KeyboardModifiers modifiers = Qt::NoModifier) const {
        QTest::keyClick(map->focusWidget(), key, modifiers);
    }
    QColor pixel(int row, int column) const {
        const QImage image = view().viewport()->grab().toImage();
        return image.pixelColor(view().cellCenter(row, column) * image.devicePixelRatio());
    }
    void shoot(const QString& name) {
        const QString folder = qEnvironmentVariable("ESPALIER_SHOTS");
        if (folder.isEmpty()) return;
        QDir().mkpath(folder);
        for (const ThemeMode mode : {ThemeMode::Light, ThemeMode::Dark}) {
            theme.setMode(mode);
            QVERIFY(
                QTest::qWaitFor([this] { return variantOf(map->palette()) == theme.variant(); }));
            QCoreApplication::sendPostedEvents();  // the layout follows the font
            const QString end =
                mode == ThemeMode::Light ? QStringLiteral("light") : QStringLiteral("dark");
            map->grab().save(QStringLiteral("%1/%2-%3.png").arg(folder, name, end));
        }
        theme.setMode(ThemeMode::Light);
    }
};

}  // namespace

class HeatViewTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        QLocale::setDefault(QLocale::c());
        qRegisterMetaType<Cells>();
    }

    void keys_ask_for_changes_of_the_chosen_cells_data() {
        QTest::addColumn<Qt::Key>("key");
        QTest::addColumn<QByteArray>("signal");
        QTest::addRow("space") << Qt::Key_Space
                               << QByteArray(
                                      SIGNAL(toggleRequested(QList<espalier::ui::ExpertCell>)));
        QTest::addRow("L") << Qt::Key_L
                           << QByteArray(SIGNAL(lockRequested(QList<espalier::ui::ExpertCell>)));
        QTest::addRow("P") << Qt::Key_P
                           << QByteArray(
                                  SIGNAL(forceOutRequested(QList<espalier::ui::ExpertCell>)));
        QTest::addRow("C") << Qt::Key_C
                           << QByteArray(SIGNAL(clearRequested(QList<espalier::ui::ExpertCell>)));
    }
    void keys_ask_for_changes_of_the_chosen_cells() {
        QFETCH(Qt::Key, key);
        QFETCH(QByteArray, signal);
        const Shown shown(heatSample(6, 32));
        QSignalSpy spy(&shown.view(), signal.constData());
        QVERIFY(spy.isValid());
        shown.click(2, 3);
        shown.press(key);
        QCOMPARE(cellsOf(spy), (Cells{{2, 3}}));
        shown.click(3, 5, Qt::ShiftModifier);
        shown.press(key);
        QCOMPARE(cellsOf(spy), (Cells{{2, 3}, {2, 4}, {2, 5}, {3, 3}, {3, 4}, {3, 5}}));
        shown.press(key, Qt::ControlModifier);  // another command, not this one
        QCOMPARE(spy.count(), 2);
    }

    void arrows_and_enter_open_an_expert_without_a_mouse() {
        const Shown shown(heatSample(6, 32));
        QSignalSpy activated(&shown.view(), &HeatView::expertActivated);
        QSignalSpy moved(&shown.view(), &HeatView::currentExpertChanged);
        shown.press(Qt::Key_Down);
        shown.press(Qt::Key_Right);
        shown.press(Qt::Key_Right);
        QCOMPARE(moved.last(), (QVariantList{qint64(1), 2}));
        shown.press(Qt::Key_Return);
        QCOMPARE(activated.last(), (QVariantList{qint64(1), 2}));
    }

    void headers_choose_layers_and_indices_data() {
        QTest::addColumn<int>("size");
        QTest::addColumn<Qt::LayoutDirection>("direction");
        for (const int size : {4, 12, 24}) {
            QTest::addRow("%d pixels", size) << size << Qt::LeftToRight;
            QTest::addRow("%d pixels, from the right", size) << size << Qt::RightToLeft;
        }
    }
    void headers_choose_layers_and_indices() {
        QFETCH(int, size);
        QFETCH(Qt::LayoutDirection, direction);
        const Shown shown(heatSample(4, 8));
        shown.map->setLayoutDirection(direction);
        shown.view().setCellSize(size);
        QTest::mouseClick(shown.view().verticalHeader()->viewport(), Qt::LeftButton, {},
                          {4, shown.view().cellCenter(1, 0).y()});
        QCOMPARE(shown.view().chosenCells().size(), 8);
        QCOMPARE(shown.view().chosenCells().first(), (ExpertCell{1, 0}));
        QTest::mouseClick(shown.view().horizontalHeader()->viewport(), Qt::LeftButton, {},
                          {shown.view().cellCenter(0, 5).x(), 4});
        QCOMPARE(shown.view().chosenCells(), (Cells{{0, 5}, {1, 5}, {2, 5}, {3, 5}}));
        // Shift goes on to another, Ctrl adds one.
        QTest::mouseClick(shown.view().verticalHeader()->viewport(), Qt::LeftButton, {},
                          {4, shown.view().cellCenter(0, 0).y()});
        QTest::mouseClick(shown.view().verticalHeader()->viewport(), Qt::LeftButton,
                          Qt::ShiftModifier, {4, shown.view().cellCenter(1, 0).y()});
        QCOMPARE(shown.view().chosenCells().size(), 16);
        QTest::mouseClick(shown.view().verticalHeader()->viewport(), Qt::LeftButton,
                          Qt::ControlModifier, {4, shown.view().cellCenter(3, 0).y()});
        QCOMPARE(shown.view().chosenCells().size(), 24);
        QCOMPARE(shown.view().chosenCells().last(), (ExpertCell{3, 7}));
        shown.view().setFocus();
        shown.press(Qt::Key_A, Qt::ControlModifier);
        QCOMPARE(shown.view().chosenCells().size(), 32);
        shown.press(Qt::Key_Escape);
        QVERIFY(!shown.view().selectionModel()->hasSelection());
    }

    void dragging_chooses_a_rectangle() {
        const Shown shown(heatSample(6, 32));
        QWidget* area = shown.view().viewport();
        QTest::mousePress(area, Qt::LeftButton, {}, shown.view().cellCenter(1, 1));
        QTest::mouseMove(area, shown.view().cellCenter(2, 2));
        QTest::mouseMove(area, shown.view().cellCenter(2, 3));
        QTest::mouseRelease(area, Qt::LeftButton, {}, shown.view().cellCenter(2, 3));
        QCOMPARE(shown.view().chosenCells(),
                 (Cells{{1, 1}, {1, 2}, {1, 3}, {2, 1}, {2, 2}, {2, 3}}));
    }

    void a_star_chooses_all_with_the_same_state() {
        ExpertMatrix matrix = heatSample(6, 32);
        matrix.marks.states.assign(matrix.size(), {});
        for (const std::size_t cell : {3U, 4U, 40U, 191U})
            matrix.marks.states[cell] = CellState::Locked;
        const Shown shown(matrix);
        shown.click(1, 8);
        QTest::keyClicks(&shown.view(), QStringLiteral("*"));
        QCOMPARE(shown.view().chosenCells(), (Cells{{0, 3}, {0, 4}, {1, 8}, {5, 31}}));
    }

    void new_states_change_neither_selection_nor_place() {
        ExpertMatrix matrix = heatSample(48, 128);
        Shown shown(matrix, {700, 400});
        shown.view().setCellSize(24);
        shown.view().choose({{30, 100}});
        const int x = shown.view().horizontalScrollBar()->value();
        const int y = shown.view().verticalScrollBar()->value();
        QVERIFY(x > 0 && y > 0);
        QSignalSpy resets(&shown.model, &QAbstractItemModel::modelReset);
        matrix.marks.states.assign(matrix.size(), CellState::Pruned);
        shown.model.updateStates(matrix.marks);
        QCOMPARE(shown.view().chosenCells(), (Cells{{30, 100}}));
        QCOMPARE(shown.view().horizontalScrollBar()->value(), x);
        QCOMPARE(shown.view().verticalScrollBar()->value(), y);
        QCOMPARE(resets.count(), 0);
    }

    void the_wheel_zooms_with_control() {
        const Shown shown(heatSample(6, 64));
        QSignalSpy sizes(&shown.view(), &HeatView::cellSizeChanged);
        const QPointF at = shown.view().cellCenter(1, 1);
        QWheelEvent wheel(at, shown.view().viewport()->mapToGlobal(at), {}, {0, 120}, Qt::NoButton,
                          Qt::ControlModifier, Qt::NoScrollPhase, false);
        QApplication::sendEvent(shown.view().viewport(), &wheel);
        QCOMPARE(shown.view().cellSize(), 13);
        QCOMPARE(sizes.count(), 1);
        shown.view().setCellSize(99);
        QCOMPARE(shown.view().cellSize(), HeatView::mostCell);
        QVERIFY(shown.view().horizontalScrollBar()->maximum() > 0);
        shown.view().setCellSize(1);
        QCOMPARE(shown.view().cellSize(), HeatView::leastCell);
        QCOMPARE(shown.view().horizontalScrollBar()->maximum(), 0);
    }

    void fitting_shows_every_cell_or_stops_at_four_pixels() {
        const Shown shown(heatSample(6, 32), {1100, 480});
        shown.press(Qt::Key_F);
        QCOMPARE(shown.view().cellSize(), 24);  // room for more, but that is the greatest
        QCOMPARE(shown.view().horizontalScrollBar()->maximum(), 0);
        const Shown wide(heatSample(93, 896));
        wide.press(Qt::Key_F);
        QCOMPARE(wide.view().cellSize(), 4);
        const Shown usual(heatSample(24, 60), {800, 500});
        usual.press(Qt::Key_F);
        QVERIFY(usual.view().cellSize() > 4 && usual.view().cellSize() < 24);
        QCOMPARE(usual.view().horizontalScrollBar()->maximum(), 0);
        QCOMPARE(usual.view().verticalScrollBar()->maximum(), 0);
    }

    void colours_follow_the_values() {
        ExpertMatrix matrix = heatSample(2, 4);
        matrix.values = {0, 1, 2, 3, 4, 5, 6, 7};
        matrix.marks = {};
        Shown shown(matrix);
        shown.model.setFixedLimits(MatrixLimits{0, 7});
        const Colors& c = colors(Variant::Light);
        QCOMPARE(shown.pixel(0, 0), c.viridis.front());
        QCOMPARE(shown.pixel(1, 3), c.viridis.back());
        shown.view().setColorMap(ColorMap::Cividis);
        QCOMPARE(shown.pixel(0, 0), c.cividis.front());
        matrix.isDifference = true;
        shown.model.setMatrix(matrix);
        QCOMPARE(shown.pixel(0, 0), c.diverging[4]);  // zero lies in the middle
    }

    void a_never_routed_cell_is_hollow() {
        ExpertMatrix matrix = heatSample(2, 4);
        matrix.marks = {};
        matrix.marks.states.assign(8, {});
        matrix.marks.states[5] = CellState::NeverRouted;
        const Shown shown(matrix);
        QCOMPARE(shown.pixel(1, 1), colors(Variant::Light).surface);
    }

    void every_state_looks_different() {
        for (const int size : {4, 8, 12, 20, 24}) {
            QList<QImage> seen;
            for (const int flags : {0, 1, 2, 4, 8, 16, 32}) {
                ExpertMatrix matrix = heatSample(1, 2);
                matrix.marks = {};
                matrix.values = {1, 1};
                matrix.marks.states.assign(2, CellStates::fromInt(flags & 31));
                matrix.marks.uncertain.assign(2, flags >= 32 ? 1 : 0);
                const Shown shown(matrix);
                shown.view().setCellSize(size);
                const QRect cell = shown.view().visualRect(shown.model.index(0, 1));
                const QImage image = shown.view().viewport()->grab(cell).toImage();
                QVERIFY2(!seen.contains(image),
                         qPrintable(QStringLiteral("%1 at %2 pixels").arg(flags).arg(size)));
                seen.append(image);
            }
        }
    }

    void numbers_in_cells_count_in_one_unit_data() {
        QTest::addColumn<double>("high");
        QTest::addColumn<double>("value");
        QTest::addColumn<MatrixScale>("scale");
        QTest::addColumn<int>("exponent");
        QTest::addColumn<QString>("number");
        const auto row = [](const char* name, double high, double value, int exponent,
                            const char* number, MatrixScale scale = MatrixScale::Linear) {
            QTest::addRow("%s", name) << high << value << scale << exponent << number;
        };
        row("tens", 20.5, 13.6, 0, "14");
        row("beside tens", 20.5, 0.83, 0, "0.8");
        row("rounds up", 20.5, 9.97, 0, "10");
        row("next to nothing", 20.5, 0.04, 0, "0");
        row("ones", 1.0, 0.999, 0, "1.0");
        row("hundredths", 0.31, 0.113, -2, "11");
        row("beside hundredths", 0.31, 0.0071, -2, "0.7");
        row("small", 0.0009, 0.00071, -4, "7.1");
        row("large", 12345, 1234, 4, "0.1");
        row("beyond the limits", 20.5, 1234, 0, "1234");
        row("negative", 20.5, -2.5, 0, "2.5");
        row("zero", 20.5, 0, 0, "0");
        row("rank", 128, 97, 0, "97", MatrixScale::Rank);
        row("none", 20.5, std::nan(""), 0, "");
    }
    void numbers_in_cells_count_in_one_unit() {
        QFETCH(double, high);
        QFETCH(double, value);
        QFETCH(MatrixScale, scale);
        QFETCH(int, exponent);
        QFETCH(QString, number);
        const ScaledMatrix scaled(heatSample(6, 32), scale, MatrixLimits{0, high});
        QCOMPARE(cellExponent(scaled), exponent);
        QCOMPARE(cellNumber(value, exponent, scale), number);
    }

    void a_screen_reader_finds_a_table_with_named_headers() {
        const Shown shown(heatSample(6, 32));
        QAccessibleInterface* access = QAccessible::queryAccessibleInterface(&shown.view());
        QVERIFY(access != nullptr);
        QVERIFY(!access->text(QAccessible::Name).isEmpty());
        QAccessibleTableInterface* table = access->tableInterface();
        QVERIFY(table != nullptr);
        QCOMPARE(table->rowCount(), 6);
        QCOMPARE(table->columnCount(), 32);
        QAccessibleInterface* cell = table->cellAt(2, 3);
        QCOMPARE(cell->text(QAccessible::Name),
                 shown.model.index(2, 3).data(ExpertMatrixModel::AccessibleTextRole).toString());
        QCOMPARE(cell->tableCellInterface()->columnHeaderCells().first()->text(QAccessible::Name),
                 QStringLiteral("expert 3"));
        QVERIFY(cell->tableCellInterface()
                    ->rowHeaderCells()
                    .first()
                    ->text(QAccessible::Name)
                    .startsWith(QStringLiteral("layer 2, ")));
    }

    void the_tooltip_is_supplied_or_says_what_is_read_out() {
        Shown shown(heatSample(2, 4));
        const QModelIndex index = shown.model.index(1, 2);
        QCOMPARE(index.data(Qt::ToolTipRole).toString(),
                 index.data(ExpertMatrixModel::AccessibleTextRole).toString());
        shown.model.setDescription([](const ExpertCell& cell) {
            return QStringLiteral("all of %1/%2").arg(cell.layer).arg(cell.expert);
        });
        QCOMPARE(index.data(Qt::ToolTipRole).toString(), QStringLiteral("all of 1/2"));
    }

    void the_overview_shows_above_two_hundred_columns_and_moves_the_window() {
        const Shown narrow(heatSample(4, 200));
        QVERIFY(!narrow.map->overview().isVisible());
        const Shown shown(heatSample(4, 400));
        HeatOverview& strip = shown.map->overview();
        QVERIFY(strip.isVisible());
        const QRect before = strip.frame();
        QCOMPARE(before.left(), 0);
        QTest::mouseClick(&strip, Qt::LeftButton, {}, strip.rect().center());
        const QRect after = strip.frame();
        QVERIFY(qAbs(after.center().x() - strip.rect().center().x()) <= 2);
        QCOMPARE(after.width(), before.width());
        shown.press(Qt::Key_End);
        QVERIFY(qAbs(strip.frame().right() - strip.rect().right()) <= 2);
    }

    void typed_limits_go_to_the_model_and_back() {
        Shown shown(heatSample(6, 32));
        auto* low = shown.map->findChild<QLineEdit*>(QStringLiteral("exp_map_heat_view_low_edit"));
        auto* high =
            shown.map->findChild<QLineEdit*>(QStringLiteral("exp_map_heat_view_high_edit"));
        auto* automatic =
            shown.map->findChild<QPushButton*>(QStringLiteral("exp_map_heat_view_limits_btn"));
        const MatrixLimits before = shown.model.scaled().limits();
        QVERIFY(!automatic->isEnabled());
        high->setFocus();
        high->selectAll();
        QTest::keyClicks(high, QStringLiteral("2.5"));
        QTest::keyClick(high, Qt::Key_Return);
        QCOMPARE(shown.model.scaled().limits(), (MatrixLimits{before.low, 2.5}));
        low->setFocus();
        low->selectAll();
        QTest::keyClicks(low, QStringLiteral("7"));
        QTest::keyClick(low, Qt::Key_Return);
        QCOMPARE(shown.model.scaled().limits(), (MatrixLimits{before.low, 2.5}));
        QTest::mouseClick(automatic, Qt::LeftButton);
        QCOMPARE(shown.model.scaled().limits(), before);
        QVERIFY(!automatic->isEnabled());
    }

    void the_legend_marks_the_cut() {
        Shown shown(heatSample(6, 32));
        auto* gradient = shown.map->findChild<HeatGradient*>();
        QVERIFY(gradient->cut().has_value());
        QVERIFY(gradient->cut()->first > 0 && gradient->cut()->second < 1);
        shown.model.updateStates({});
        QVERIFY(!gradient->cut().has_value());
    }

    void pictures() {
        Shown shown(heatSample(48, 128), {1000, 620});
        shown.view().setCellSize(6);
        shown.view().choose({{3, 4}, {3, 5}, {4, 4}, {10, 60}, {11, 60}});
        shown.shoot(QStringLiteral("map-6"));
        shown.view().setCellSize(12);
        shown.shoot(QStringLiteral("map-12"));
        shown.view().setCellSize(24);
        shown.shoot(QStringLiteral("map-24"));
        shown.theme.setTextPercent(200);
        shown.shoot(QStringLiteral("map-24-text-200"));
        shown.theme.setTextPercent(100);
        Shown wide(heatSample(93, 896), {1000, 620});
        wide.view().setCellSize(4);
        wide.model.setScale(MatrixScale::Rank);
        wide.shoot(QStringLiteral("wide-4"));
        ExpertMatrix difference = heatSample(24, 64);
        difference.isDifference = true;
        for (double& value : difference.values) value -= 0.1;
        Shown compare(difference, {1000, 620});
        compare.shoot(QStringLiteral("difference"));
    }

    void repaints_within_a_frame() {
        // 93 × 896 cells of 4 pixels, all in view, with the states of a plan: at most 33 ms.
        Shown shown(heatSample(93, 896), {3800, 640});
        shown.view().setCellSize(4);
        QVERIFY(shown.view().viewport()->width() >= 896 * 4);
        QImage image(shown.view().viewport()->size(), QImage::Format_ARGB32_Premultiplied);
        QBENCHMARK { shown.view().viewport()->render(&image, {}, {}, {}); }
    }

    void takes_new_states_within_a_frame() {
        ExpertMatrix matrix = heatSample(93, 896);
        Shown shown(matrix, {1200, 640});
        shown.view().setCellSize(4);
        shown.press(Qt::Key_A, Qt::ControlModifier);
        bool isPruned = false;
        QBENCHMARK {
            isPruned = !isPruned;
            matrix.marks.states[7] = isPruned ? CellStates(CellState::Pruned) : CellStates();
            shown.model.updateStates(matrix.marks);
            shown.map->repaint();
        }
    }
};

QTEST_MAIN(HeatViewTest)
#include "tst_heat_view.moc"
