#pragma once

#include <QFileSystemWatcher>
#include <QStringList>
#include <QTimer>
#include <functional>
#include <vector>

#include "ui/bridge/model_entry.h"
#include "ui/bridge/services.h"
#include "ui/widgets/page.h"

class QBoxLayout;
class QMenu;
class QStackedWidget;
class QTreeView;

namespace espalier {
class Library;
}

namespace espalier::ui {

class Banner;
class EmptyState;
class LibraryFilter;
class LibraryModel;
class LibraryScan;
class ModelsDetails;
class ModelsFilterBar;
class PushButton;
class TextLabel;
struct Dependents;
struct Failure;

/// The models of this computer: those of other programs, the user's own, and what runs made of
/// them.
class ModelsPage : public Page {
    Q_OBJECT

public:
    explicit ModelsPage(const Services& services, QWidget* parent = nullptr);

    void refresh() override;
    void activatePrimary() override { compressSelected(); }
    bool cancelCurrent() override;
    void createNew() override { browseFolder(); }
    /// Links models, or folders in which they lie.
    void addPaths(const QStringList& paths);

Q_SIGNALS:
    void compressRequested(const QString& model);
    void inspectRequested(const QString& model);
    void playRequested(const QString& model);
    void sampleRequested();

protected:
    bool event(QEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dragLeaveEvent(QDragLeaveEvent* event) override;
    void dropEvent(QDropEvent* event) override;
    void arrange(bool isNarrow) override;

private:
    void buildLayout();
    QWidget* makeHead();
    void makeTree();
    QWidget* makeActions();
    void connectScan();
    void takeEntries(const std::vector<ModelEntry>& entries);
    void finishWalk(const QSet<QString>& paths);
    void watchFolders();
    void toggleScan();
    void showState();
    void showSelected();
    const ModelEntry* selected() const;
    void showFailure(const Failure& failure);
    void fillPlaces();
    void browseFolder();
    void browseFile();
    void compressSelected();
    void inspectSelected();
    void playSelected();
    void revealSelected();
    void removeSelected();
    void askToDelete();
    void askToDelete(const ModelEntry& entry, const Dependents& dependents);
    void deleteResult(const ModelEntry& entry);
    /// Does it on the worker, says so and lists anew.
    void change(std::function<void(Library&)> work, const QString& done);

    Services m_services;
    LibraryModel* m_model;
    LibraryFilter* m_filter;
    LibraryScan* m_scan;
    QFileSystemWatcher m_watcher;
    QTimer m_rescan;
    Banner* m_banner;
    QStackedWidget* m_stack;
    EmptyState* m_empty;
    QBoxLayout* m_head;
    ModelsFilterBar* m_filters;
    QTreeView* m_tree;
    TextLabel* m_status;
    PushButton* m_scanButton;
    QMenu* m_places;
    ModelsDetails* m_details;
    QBoxLayout* m_actions;
    PushButton* m_compress;
    PushButton* m_inspect;
    PushButton* m_play;
    PushButton* m_reveal;
    PushButton* m_remove;
    PushButton* m_delete;
    bool m_hasWalked = false;
};

}  // namespace espalier::ui
