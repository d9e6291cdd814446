#include "ui/pages/models_page.h"

#include <QDragEnterEvent>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QMenu>
#include <QMimeData>
#include <QStackedWidget>
#include <QStyledItemDelegate>
#include <QTreeView>
#include <QVBoxLayout>
#include <chrono>

#include "ui/bridge/background_worker.h"
#include "ui/bridge/library_scan.h"
#include "ui/bridge/run_controller.h"
#include "ui/models/format.h"
#include "ui/models/library_filter.h"
#include "ui/models/library_model.h"
#include "ui/models/library_text.h"
#include "ui/pages/models_details.h"
#include "ui/pages/models_filter_bar.h"
#include "ui/theme/colors.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/drop_area.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/table_setup.h"
#include "ui/widgets/text_label.h"
#include "ui/widgets/vertical_scroll.h"

namespace espalier::ui {
namespace {

using namespace std::chrono_literals;

/// Changes that come together are looked at once.
constexpr auto rescanDelay = 500ms;
constexpr int mostWatched = 256;  ///< the system has few watches for all programs together
constexpr int linesOfTree = 9;

/// Rows that cannot be compressed stand back; a cell says why.
class LibraryDelegate : public QStyledItemDelegate {
public:
    using QStyledItemDelegate::QStyledItemDelegate;

protected:
    void initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const override {
        QStyledItemDelegate::initStyleOption(option, index);
        if (!index.data(LibraryModel::IsDimRole).toBool()) return;
        option->palette.setColor(QPalette::Text, colors(option->palette).text2);
        option->font.setItalic(index.column() == LibraryModel::Experts);
    }
};

}  // namespace

ModelsPage::ModelsPage(const Services& services, QWidget* parent)
    : Page(parent),
      m_services(services),
      m_model(new LibraryModel(this)),
      m_filter(new LibraryFilter(this)),
      m_scan(new LibraryScan(services.worker, this)) {
    setObjectName(QStringLiteral("modelsPage"));
    setAcceptDrops(true);
    m_filter->setSourceModel(m_model);
    buildLayout();
    connectScan();
    m_rescan.setSingleShot(true);
    m_rescan.setInterval(rescanDelay);
    connect(&m_rescan, &QTimer::timeout, this, [this] {
        if (isVisible()) m_scan->start();
    });
    connect(&m_watcher, &QFileSystemWatcher::directoryChanged, this, [this] {
        if (!m_rescan.isActive()) m_rescan.start();
    });
    connect(&m_services.runs, &RunController::stateChanged, &m_rescan, qOverload<>(&QTimer::start));
    showState();
}

void ModelsPage::buildLayout() {
    m_banner = new Banner(QStringLiteral("models_banner"));
    m_empty = new EmptyState(
        QStringLiteral("models"),
        {tr("No models yet. Those that LM Studio and the hub's cache hold show here by themselves. "
            "Add a folder with others, or drop one here: files stay where they are."),
         tr("Add folder…"), tr("Try the sample")});
    connect(m_empty, &EmptyState::actionRequested, this, &ModelsPage::browseFolder);
    connect(m_empty, &EmptyState::sampleRequested, this, &ModelsPage::sampleRequested);
    makeTree();
    m_filters = new ModelsFilterBar(*m_model, *m_filter);
    connect(m_filters, &ModelsFilterBar::changed, this, [this] {
        showState();
        showSelected();
    });
    m_details = new ModelsDetails(m_services);
    connect(m_details, &ModelsDetails::entryChanged, this,
            [this](const ModelEntry& entry) { m_model->put({entry}); });
    connect(m_details, &ModelsDetails::failed, this, &ModelsPage::showFailure);

    auto* list = new QWidget;
    auto* inner = new QVBoxLayout(list);
    inner->setContentsMargins({});
    inner->setSpacing(space::controls);
    inner->addWidget(m_filters);
    inner->addWidget(m_tree, 1);
    inner->addWidget(makeActions());
    inner->addWidget(m_details);
    m_stack = new QStackedWidget;
    m_stack->addWidget(list);
    m_stack->addWidget(m_empty);
    auto* content = new QWidget;
    auto* column = new QVBoxLayout(content);
    column->setContentsMargins(space::sections, space::pageMargin, space::sections,
                               space::pageMargin);
    column->setSpacing(space::controls);
    column->addWidget(makeHead());
    column->addWidget(m_banner);
    column->addWidget(m_stack, 1);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->addWidget(new VerticalScroll(content));
}

QWidget* ModelsPage::makeHead() {
    m_status = (new TextLabel(TextKind::Secondary))->asElided();
    m_status->setObjectName(QStringLiteral("models_status_label"));
    m_scanButton = new PushButton(QStringLiteral("models_scan_btn"), tr("Look a&gain"));
    connect(m_scanButton, &QPushButton::clicked, this, &ModelsPage::toggleScan);
    auto* add = (new PushButton(QStringLiteral("models_add_btn"), tr("&Add folder…")))
                    ->withIcon(QStringLiteral("add"));
    connect(add, &QPushButton::clicked, this, &ModelsPage::browseFolder);
    auto* places = (new PushButton(QStringLiteral("models_places_btn"), tr("&Places")))
                       ->withIcon(QStringLiteral("folder"));
    m_places = new QMenu(places);
    m_places->setObjectName(QStringLiteral("models_places_menu"));
    m_places->setToolTipsVisible(true);
    connect(m_places, &QMenu::aboutToShow, this, &ModelsPage::fillPlaces);
    places->setMenu(m_places);
    auto* title = new TextLabel(TextKind::Title, tr("Models"));
    title->setWordWrap(false);
    auto* words = new QHBoxLayout;
    words->setSpacing(space::groups);
    words->addWidget(title);
    words->addWidget(m_status, 1, Qt::AlignVCenter);
    auto* buttons = new QHBoxLayout;
    buttons->setSpacing(space::controls);
    for (QWidget* button : std::initializer_list<QWidget*>{m_scanButton, add, places})
        buttons->addWidget(button);
    buttons->addStretch(1);
    auto* head = new QWidget;
    m_head = new QBoxLayout(QBoxLayout::LeftToRight, head);
    m_head->setContentsMargins({});
    m_head->setSpacing(space::controls);
    m_head->addLayout(words, 1);
    m_head->addLayout(buttons);
    return head;
}

void ModelsPage::makeTree() {
    m_tree = new QTreeView;
    m_tree->setObjectName(QStringLiteral("models_tree"));
    m_tree->setAccessibleName(tr("Models"));
    m_tree->setModel(m_filter);
    m_tree->setItemDelegate(new LibraryDelegate(m_tree));
    setUpTree(*m_tree);
    m_tree->setSortingEnabled(true);
    m_tree->sortByColumn(LibraryModel::Name, Qt::AscendingOrder);
    m_tree->setDragEnabled(true);
    m_tree->setDragDropMode(QAbstractItemView::DragOnly);
    m_tree->setMinimumHeight(linesOfTree * (m_tree->fontMetrics().height() + space::controls));
    connect(m_tree, &QTreeView::activated, this, &ModelsPage::compressSelected);
    connect(m_tree->selectionModel(), &QItemSelectionModel::currentChanged, this,
            &ModelsPage::showSelected);
    connect(m_model, &LibraryModel::gotChildren, this,
            [this](const QModelIndex& parent) { m_tree->expand(m_filter->mapFromSource(parent)); });
}

QWidget* ModelsPage::makeActions() {
    m_compress =
        (new PushButton(QStringLiteral("models_compress_btn"), tr("&Compress…")))->asPrimary();
    m_inspect = new PushButton(QStringLiteral("models_inspect_btn"), tr("&Inspect experts"));
    m_play = new PushButton(QStringLiteral("models_play_btn"), tr("Open in pla&yground"));
    m_reveal = new PushButton(QStringLiteral("models_reveal_btn"), tr("Reveal"));
    m_reveal->setToolTip(tr("Shows its folder in the file manager."));
    m_remove = new PushButton(QStringLiteral("models_remove_btn"), tr("Re&move"));
    m_delete = (new PushButton(QStringLiteral("models_delete_btn"), tr("&Delete…")))
                   ->withIcon(QStringLiteral("trash"));
    connect(m_compress, &QPushButton::clicked, this, &ModelsPage::compressSelected);
    connect(m_inspect, &QPushButton::clicked, this, &ModelsPage::inspectSelected);
    connect(m_play, &QPushButton::clicked, this, &ModelsPage::playSelected);
    connect(m_reveal, &QPushButton::clicked, this, &ModelsPage::revealSelected);
    connect(m_remove, &QPushButton::clicked, this, &ModelsPage::removeSelected);
    connect(m_delete, &QPushButton::clicked, this, qOverload<>(&ModelsPage::askToDelete));
    const auto lineOf = [](std::initializer_list<QWidget*> buttons) {
        auto* line = new QHBoxLayout;
        line->setSpacing(space::controls);
        for (QWidget* button : buttons) line->addWidget(button);
        return line;
    };
    auto* actions = new QWidget;
    m_actions = new QBoxLayout(QBoxLayout::LeftToRight, actions);
    m_actions->setContentsMargins({});
    m_actions->setSpacing(space::controls);
    QHBoxLayout* main = lineOf({m_compress, m_inspect, m_play});
    main->addStretch(1);
    m_actions->addLayout(main);
    QHBoxLayout* others = lineOf({m_reveal, m_remove, m_delete});
    others->addStretch(1);
    m_actions->addLayout(others, 1);
    return actions;
}

void ModelsPage::arrange(bool isNarrow) {
    // The details have them all.
    for (const int column :
         {LibraryModel::Parameters, LibraryModel::Format, LibraryModel::From, LibraryModel::Used})
        m_tree->setColumnHidden(column, isNarrow);
    const auto direction = isNarrow ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight;
    m_head->setDirection(direction);
    m_actions->setDirection(direction);
    m_filters->arrange(isNarrow);
    m_details->arrange(isNarrow);
    m_tree->setMinimumHeight(linesOfTree * (m_tree->fontMetrics().height() + space::controls));
}

void ModelsPage::connectScan() {
    connect(m_scan, &LibraryScan::began, this, [this] {
        m_model->setMachine(m_scan->machine());
        m_filters->showMachine(m_scan->machine().availableBytes);
        showState();
    });
    connect(m_scan, &LibraryScan::entriesFound, this, &ModelsPage::takeEntries);
    connect(m_scan, &LibraryScan::foldersWalked, this, &ModelsPage::finishWalk);
    connect(m_scan, &LibraryScan::ended, this, &ModelsPage::showState);
    connect(m_scan, &LibraryScan::failed, this, [this](const Failure& failure) {
        showFailure(failure);
        Q_EMIT pageReady();
    });
}

void ModelsPage::refresh() {
    if (!m_scan->isRunning()) m_scan->start();
    showState();
}

bool ModelsPage::event(QEvent* event) {
    // Other programs may have loaded or deleted something meanwhile.
    if (event->type() == QEvent::WindowActivate && isVisible() && !m_rescan.isActive())
        m_rescan.start();
    return Page::event(event);
}

void ModelsPage::toggleScan() {
    if (m_scan->isRunning()) {
        m_scan->cancel();
    } else {
        m_scan->start();
    }
    showState();
}

bool ModelsPage::cancelCurrent() {
    if (m_filters->clear()) return true;
    if (!m_scan->isRunning()) return false;
    m_scan->cancel();
    return true;
}

void ModelsPage::takeEntries(const std::vector<ModelEntry>& entries) {
    m_model->put(entries);
    showState();
    if (!m_tree->currentIndex().isValid() && m_filter->rowCount() > 0) {
        m_tree->setCurrentIndex(m_filter->index(0, 0));
    } else {
        showSelected();
    }
}

void ModelsPage::finishWalk(const QSet<QString>& paths) {
    m_model->keepOnly(paths);
    m_hasWalked = true;
    watchFolders();
    if (m_scan->wasCut()) {
        m_banner->showMessage(BannerKind::Warn,
                              tr("There are more folders than can be looked through. Add the ones "
                                 "with models one by one."));
    }
    showState();
    showSelected();
    Q_EMIT pageReady();
}

void ModelsPage::watchFolders() {
    QStringList wanted;
    for (const ModelRoot& root : m_scan->roots())
        wanted.append(QString::fromStdString(root.path.string()));
    wanted = (wanted + m_scan->folders()).mid(0, mostWatched);
    QStringList surplus = m_watcher.directories();
    for (const QString& folder : wanted) {
        if (surplus.removeAll(folder) == 0 && QFileInfo(folder).isDir()) m_watcher.addPath(folder);
    }
    if (!surplus.isEmpty()) m_watcher.removePaths(surplus);
}

void ModelsPage::showState() {
    const bool isEmpty = m_model->count() == 0 && m_hasWalked;
    m_stack->setCurrentIndex(isEmpty ? 1 : 0);
    const bool isLooking = m_scan->isRunning();
    const QString button = isLooking ? tr("Stop lookin&g") : tr("Look a&gain");
    if (m_scanButton->text() != button) {
        m_scanButton->setText(button);
        m_scanButton->setAccessibleName(QString(button).remove(QLatin1Char('&')));
    }
    QStringList parts;
    const int count = m_model->count();
    parts.append(count == 1 ? tr("1 model") : tr("%1 models").arg(count));
    if (m_filter->isActive() && m_filter->rowCount() == 0) parts.append(tr("none fits the filter"));
    if (isLooking) parts.append(m_hasWalked ? tr("reading headers…") : tr("looking for models…"));
    for (const QString& folder : m_scan->lostFolders())
        parts.append(tr("%1 is not there any more").arg(folder));
    m_status->setText(isEmpty && !isLooking ? QString() : parts.join(QStringLiteral(" · ")));
}

const ModelEntry* ModelsPage::selected() const {
    const QModelIndex current = m_tree->currentIndex();
    return current.isValid() ? &m_model->entry(m_filter->mapToSource(current)) : nullptr;
}

void ModelsPage::showSelected() {
    const ModelEntry* entry = selected();
    const bool isThere = entry != nullptr && entry->gap != ModelGap::Gone;
    m_compress->setEnabled(entry != nullptr && entry->canCompress());
    m_inspect->setEnabled(entry != nullptr && entry->canCompress());
    m_play->setEnabled(entry != nullptr && entry->canPlay());
    m_reveal->setEnabled(isThere);
    m_remove->setEnabled(entry != nullptr && !entry->libraryName.isEmpty());
    m_delete->setEnabled(entry != nullptr && entry->isOwnResult);
    if (entry == nullptr) {
        m_details->showNothing();
        return;
    }
    m_compress->setToolTip(obstacleSentence(*entry));
    m_remove->setToolTip(entry->libraryName.isEmpty()
                             ? tr("It is listed because it lies in a place that is looked through.")
                             : tr("Takes it out of the library. Its files stay."));
    m_delete->setToolTip(entry->isOwnResult ? tr("Deletes the files that the run wrote.")
                                            : tr("Only results of runs are deleted here."));
    const QModelIndex parent = m_filter->mapToSource(m_tree->currentIndex()).parent();
    m_details->showEntry(*entry, parent.isValid() ? m_model->entry(parent).name : QString());
}

void ModelsPage::showFailure(const Failure& failure) {
    m_banner->showError(failure.code, failure.message, failure.hint);
}

void ModelsPage::dragEnterEvent(QDragEnterEvent* event) {
    const bool isOwn = event->source() == m_tree;
    if (!isOwn && !localPaths(*event->mimeData()).isEmpty()) {
        event->setDropAction(Qt::LinkAction);
        event->accept();
        m_status->setText(tr("Drop to link it here. The files stay where they are."));
    }
}

void ModelsPage::dragLeaveEvent(QDragLeaveEvent* event) {
    showState();
    Page::dragLeaveEvent(event);
}

void ModelsPage::dropEvent(QDropEvent* event) {
    event->setDropAction(Qt::LinkAction);
    event->accept();
    showState();
    addPaths(localPaths(*event->mimeData()));
}

}  // namespace espalier::ui
