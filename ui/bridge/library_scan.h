#pragma once

#include <QHash>
#include <QObject>
#include <QSet>
#include <QStringList>
#include <memory>
#include <vector>

#include "ui/bridge/failure.h"
#include "ui/bridge/known_models.h"

namespace espalier::ui {

class BackgroundWorker;

/// Finds all models of this computer on the background worker, in slices: rows come as they are
/// found, other questions are answered in between, and nothing more is done after cancel(). What
/// was read of a model is read again only when its files have changed.
class LibraryScan : public QObject {
    Q_OBJECT

public:
    explicit LibraryScan(BackgroundWorker& worker, QObject* parent = nullptr);

    /// Begins anew, whatever is going on.
    void start();
    void cancel();
    bool isRunning() const { return m_isRunning; }

    const MachineInfo& machine() const { return m_known.machine; }
    const std::vector<ModelRoot>& roots() const { return m_known.roots; }
    const QStringList& lostFolders() const { return m_known.lostFolders; }
    /// Folders in which a new model would show.
    const QStringList& folders() const { return m_folders; }
    bool wasCut() const { return m_wasCut; }

Q_SIGNALS:
    /// The computer's memory and the folders to look into are known.
    void began();
    /// New rows, and rows of which more is known now.
    void entriesFound(const std::vector<espalier::ui::ModelEntry>& entries);
    /// Every folder has been seen: what is not among `paths` is gone.
    void foldersWalked(const QSet<QString>& paths);
    /// All headers have been read, too; or it was cancelled.
    void ended();
    void failed(const espalier::ui::Failure& failure);

private:
    struct Facts {
        QString stamp;
        ModelFacts facts;
    };

    template <typename Task, typename Done>
    void ask(Task task, Done done);
    void takeKnown(KnownModels known);
    void walk();
    void takeFound(const std::vector<FoundModel>& found);
    void add(std::vector<ModelEntry> entries);
    void describeNext();
    void end();

    BackgroundWorker& m_worker;
    KnownModels m_known;
    std::shared_ptr<ModelFinder> m_finder;
    QHash<QString, ModelEntry> m_entries;
    QStringList m_toDescribe;
    QHash<QString, Facts> m_facts;  ///< by path, kept from scan to scan
    QStringList m_folders;
    bool m_wasCut = false;
    bool m_isRunning = false;
    quint64 m_run = 0;
};

}  // namespace espalier::ui
