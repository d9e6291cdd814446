#include "ui/widgets/table_setup.h"

#include <QHeaderView>
#include <QTableView>
#include <QTreeView>

namespace espalier::ui {
namespace {

void setUpHeader(QHeaderView& header) {
    header.setHighlightSections(false);
    header.setSectionResizeMode(QHeaderView::ResizeToContents);
    header.setSectionResizeMode(0, QHeaderView::Stretch);
    header.setStretchLastSection(false);
}

}  // namespace

void setUpTable(QTableView& table) {
    table.setSelectionBehavior(QAbstractItemView::SelectRows);
    table.setSelectionMode(QAbstractItemView::SingleSelection);
    table.setShowGrid(false);
    table.setTabKeyNavigation(false);
    table.setWordWrap(false);
    table.setTextElideMode(Qt::ElideMiddle);
    table.verticalHeader()->hide();
    table.verticalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
    setUpHeader(*table.horizontalHeader());
}

void setUpTree(QTreeView& tree) {
    tree.setSelectionBehavior(QAbstractItemView::SelectRows);
    tree.setSelectionMode(QAbstractItemView::SingleSelection);
    tree.setUniformRowHeights(true);
    tree.setAllColumnsShowFocus(true);
    tree.setTabKeyNavigation(false);
    tree.setWordWrap(false);
    tree.setTextElideMode(Qt::ElideMiddle);
    tree.setExpandsOnDoubleClick(false);
    setUpHeader(*tree.header());
}

}  // namespace espalier::ui
