#include "ui/charts/chart_panel.h"

#include <QAction>
#include <QChart>
#include <QChartView>
#include <QClipboard>
#include <QEvent>
#include <QFileDialog>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLegend>
#include <QMenu>
#include <QMessageBox>
#include <QSaveFile>
#include <QStackedWidget>
#include <QTableView>
#include <QToolButton>
#include <QVBoxLayout>
#include <QValueAxis>

#include "ui/theme/colors.h"
#include "ui/theme/icons.h"
#include "ui/theme/metrics.h"

namespace espalier::ui {
namespace {

/// Fewer, and the letters of axes and legend leave nothing for the drawing.
constexpr int leastChartLines = 12;

}  // namespace

ChartPanel::ChartPanel(const QString& name, const QString& title, QWidget* parent)
    : QWidget(parent),
      m_chart(new QChart),
      m_view(new QChartView(m_chart)),
      m_xAxis(new QValueAxis(m_chart)),
      m_yAxis(new QValueAxis(m_chart)),
      m_leastLines(leastChartLines),
      m_tableModel(new ChartTableModel(this)) {
    m_chart->addAxis(m_xAxis, Qt::AlignBottom);
    m_chart->addAxis(m_yAxis, Qt::AlignLeft);
    m_chart->setMargins({});
    m_chart->setLocalizeNumbers(true);
    m_chart->setBackgroundRoundness(0);
    m_chart->legend()->setAlignment(Qt::AlignBottom);
    m_chart->setMinimumSize(0, 0);
    connect(m_chart, &QChart::plotAreaChanged, this, &ChartPanel::thinTicks);
    buildLayout(name, title);
    applyTheme();
    showCurrentView();
}

// The chart is taken apart later than this part of it, and must not tell it any more.
ChartPanel::~ChartPanel() { disconnect(m_chart, nullptr, this, nullptr); }

void ChartPanel::buildLayout(const QString& name, const QString& title) {
    m_view->setObjectName(name);
    m_view->setAccessibleName(title);
    m_view->setRenderHint(QPainter::Antialiasing);
    // Markers reach out of the line's own rectangle: painted in part, they would leave crumbs.
    m_view->setViewportUpdateMode(QGraphicsView::FullViewportUpdate);
    m_view->setFrameShape(QFrame::NoFrame);
    m_view->setFocusPolicy(Qt::StrongFocus);
    m_view->viewport()->setFocusPolicy(Qt::NoFocus);  // else it is a second, nameless stop
    m_empty = new QLabel;
    m_empty->setAlignment(Qt::AlignCenter);
    m_empty->setWordWrap(true);
    m_empty->setMargin(space::groups);
    m_empty->setAutoFillBackground(true);
    m_empty->setBackgroundRole(QPalette::Base);
    m_empty->setForegroundRole(QPalette::WindowText);
    m_tableView = new QTableView;
    m_tableView->setObjectName(name + QStringLiteral("_table"));
    m_tableView->setAccessibleName(tr("%1, as a table").arg(title));
    m_tableView->setModel(m_tableModel);
    m_tableView->setTabKeyNavigation(false);
    m_tableView->verticalHeader()->hide();
    m_tableView->horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);
    m_stack = new QStackedWidget;
    m_stack->addWidget(m_empty);
    m_stack->addWidget(m_view);
    m_stack->addWidget(m_tableView);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->setSpacing(space::inGroup);
    layout->addWidget(makeHeader(name, title));
    layout->addWidget(m_stack, 1);
}

QWidget* ChartPanel::makeHeader(const QString& name, const QString& title) {
    auto* header = new QWidget;
    m_title = new QLabel(title);
    m_title->setWordWrap(true);
    m_tableButton = new QToolButton;
    m_tableButton->setObjectName(name + QStringLiteral("_table_btn"));
    m_tableButton->setCheckable(true);
    m_tableButton->setToolTip(tr("Show as table (T)"));
    m_tableButton->setAccessibleName(tr("Show %1 as a table").arg(title));
    connect(m_tableButton, &QToolButton::toggled, this, &ChartPanel::showCurrentView);
    m_exportButton = new QToolButton;
    m_exportButton->setObjectName(name + QStringLiteral("_export_btn"));
    m_exportButton->setToolTip(tr("Export"));
    m_exportButton->setAccessibleName(tr("Export %1").arg(title));
    m_exportButton->setPopupMode(QToolButton::InstantPopup);
    auto* menu = new QMenu(m_exportButton);
    menu->addAction(tr("Picture (PNG)…"), this, &ChartPanel::exportImage);
    menu->addAction(tr("Figures (CSV)…"), this, &ChartPanel::exportTable);
    menu->addAction(tr("Copy picture"), this, &ChartPanel::copyImage);
    menu->addAction(tr("Copy figures"), this, &ChartPanel::copyTable);
    m_exportButton->setMenu(menu);
    auto* flip = new QAction(this);
    flip->setShortcut(Qt::Key_T);
    flip->setShortcutContext(Qt::WidgetWithChildrenShortcut);
    connect(flip, &QAction::triggered, m_tableButton, &QToolButton::toggle);
    addAction(flip);
    m_header = new QHBoxLayout(header);
    m_header->setContentsMargins({});
    m_header->addWidget(m_title, 1);
    m_header->addWidget(m_tableButton);
    m_header->addWidget(m_exportButton);
    return header;
}

void ChartPanel::addOption(QWidget* option) { m_header->insertWidget(1, option); }

void ChartPanel::setEmptyText(const QString& text) { m_empty->setText(text); }

void ChartPanel::setSummary(const QString& text) {
    m_view->setAccessibleDescription(text);
    m_view->setToolTip(text);
}

void ChartPanel::setLeastLines(int lines) {
    m_leastLines = lines;
    applyTheme();
}

bool ChartPanel::showsTable() const { return m_tableButton->isChecked(); }
void ChartPanel::setShowsTable(bool shows) { m_tableButton->setChecked(shows); }

void ChartPanel::setTable(ChartTable table) {
    m_steps.clear();
    for (QAbstractAxis* axis : m_chart->axes(Qt::Vertical)) {
        if (auto* values = qobject_cast<QValueAxis*>(axis))
            m_steps.insert(values, values->tickCount() - 1);
    }
    thinTicks();
    if (table == m_tableModel->table()) return;
    m_tableModel->setTable(std::move(table));
    showCurrentView();
}

/// Numbers that lie closer than they are high are drawn as dots, so every second is left out, or
/// more.
void ChartPanel::thinTicks() {
    for (auto [axis, steps] : m_steps.asKeyValueRange()) {
        // With less of a step, Qt draws dots in place of a number.
        const double needed = 1.6 * QFontMetrics(axis->labelsFont()).height();
        int every = 1;
        while (every < steps &&
               (steps % every != 0 || m_chart->plotArea().height() * every < needed * steps)) {
            ++every;
        }
        axis->setTickCount(steps / every + 1);
    }
}

void ChartPanel::showCurrentView() {
    const bool isEmpty = m_tableModel->rowCount() == 0;
    const bool hadFocus = m_view->hasFocus() || m_tableView->hasFocus();
    QWidget* chosen = m_view;
    if (isEmpty) {
        chosen = m_empty;
    } else if (m_tableButton->isChecked()) {
        chosen = m_tableView;
    }
    m_stack->setCurrentWidget(chosen);
    m_tableButton->setEnabled(!isEmpty);
    m_exportButton->setEnabled(!isEmpty);
    if (hadFocus) chosen->setFocus();
}

void ChartPanel::paintAxis(QAbstractAxis& axis) const {
    const Colors& c = colors(palette());
    axis.setLabelsColor(c.text2);
    axis.setTitleBrush(c.text2);
    axis.setLinePenColor(c.border);
    QColor grid = c.border;
    grid.setAlphaF(0.25F);
    axis.setGridLineColor(grid);
    axis.setLabelsFont(captionFont(font()));
    axis.setTitleFont(captionFont(font()));
}

void ChartPanel::applyTheme() {
    const Colors& c = colors(palette());
    m_chart->setBackgroundBrush(c.surface);
    m_chart->legend()->setLabelColor(c.text2);
    m_chart->legend()->setFont(captionFont(font()));
    paintAxis(*m_xAxis);
    paintAxis(*m_yAxis);
    m_view->setBackgroundBrush(c.surface);
    m_title->setFont(headingFont(font()));
    m_stack->setMinimumHeight(m_leastLines * fontMetrics().lineSpacing());
    QPalette secondary = palette();
    secondary.setColor(QPalette::WindowText, c.text2);
    m_empty->setPalette(secondary);
    m_tableButton->setIcon(themedIcon(QStringLiteral("table"), palette()));
    m_exportButton->setIcon(themedIcon(QStringLiteral("export"), palette()));
}

void ChartPanel::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() != QEvent::PaletteChange && event->type() != QEvent::FontChange) return;
    applyTheme();
    paintSeries();
}

void ChartPanel::exportTable() {
    askWhere(tr("Export figures"), QStringLiteral("chart.csv"), tr("Figures (*.csv)"),
             [this](QIODevice& file) {
                 const QByteArray text = toCsv(m_tableModel->table());
                 return file.write(text) == text.size();
             });
}

void ChartPanel::exportImage() {
    askWhere(tr("Export picture"), QStringLiteral("chart.png"), tr("Pictures (*.png)"),
             [this](QIODevice& file) { return picture().save(&file, "PNG"); });
}

QPixmap ChartPanel::picture() const {
    constexpr int scale = 2;
    QPixmap picture(m_view->size() * scale);
    picture.setDevicePixelRatio(scale);
    m_view->QWidget::render(&picture);
    return picture;
}

void ChartPanel::copyImage() { QGuiApplication::clipboard()->setPixmap(picture()); }

void ChartPanel::copyTable() {
    QGuiApplication::clipboard()->setText(QString::fromUtf8(toTsv(m_tableModel->table())));
}

void ChartPanel::askWhere(const QString& title, const QString& name, const QString& filter,
                          const std::function<bool(QIODevice&)>& write) {
    auto* dialog = new QFileDialog(this, title, {}, filter);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setObjectName(QStringLiteral("dlgFile"));
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->selectFile(name);
    if (qEnvironmentVariableIsSet("ESPALIER_UI_TEST"))
        dialog->setOption(QFileDialog::DontUseNativeDialog);
    connect(dialog, &QFileDialog::fileSelected, this, [this, title, write](const QString& path) {
        QSaveFile file(path);
        if (file.open(QIODevice::WriteOnly) && write(file) && file.commit()) return;
        auto* told = new QMessageBox(
            QMessageBox::Warning, title,
            tr("%1 was not written: %2. Choose another place.").arg(path, file.errorString()),
            QMessageBox::Close, this);
        told->setAttribute(Qt::WA_DeleteOnClose);
        told->open();
    });
    dialog->open();
}

}  // namespace espalier::ui
