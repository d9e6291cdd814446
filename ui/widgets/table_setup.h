#pragma once

class QTableView;
class QTreeView;

namespace espalier::ui {

/// How tables of records look and behave everywhere: whole rows, one at a time, no grid of numbers
/// at the left, the first column takes what is left, Tab leaves the table.
void setUpTable(QTableView& table);
/// The same for records that lie below each other.
void setUpTree(QTreeView& tree);

}  // namespace espalier::ui
