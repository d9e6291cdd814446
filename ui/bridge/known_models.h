#pragma once

#include <QStringList>
#include <map>
#include <string>
#include <vector>

#include "store/find_models.h"
#include "store/library.h"
#include "ui/bridge/machine_info.h"
#include "ui/bridge/model_entry.h"

namespace espalier::ui {

class TaskContext;

/// What is known before any folder is looked into.
struct KnownModels {
    std::vector<ModelEntry> entries;  ///< of the library, results of runs, what was used before
    std::vector<ModelRoot> roots;     ///< those of other programs first, then the user's
    QStringList lostFolders;          ///< chosen by the user and not there any more
    std::map<std::string, ModelNotes> notes;
    std::map<std::string, qint64> used;  ///< by path, in seconds since 1970
    MachineInfo machine;
};

KnownModels readKnownModels(Library& library);

/// A row for what was found; notes and last use are taken from `known`.
ModelEntry entryOf(const FoundModel& found, const KnownModels& known);

/// What adding a path to the library came to.
struct LinkedPath {
    QString path;
    bool isFolder = false;  ///< a folder with models in it, looked through from now on
};

/// Links a model, or a folder in which models lie; nothing is moved or written there.
/// @throws Error if there is no model, or one that cannot be opened
LinkedPath linkPath(TaskContext& context, const QString& path);

/// What refers to a model and would no longer find it.
struct Dependents {
    int runs = 0;
    int chats = 0;
    int evaluations = 0;
};
Dependents dependentsOf(Library& library, const QString& path);

/// Deletes the files of a run's result. @throws Error if a process works in the run's folder
void deleteRunResult(const QString& runFolder, const QString& result);

}  // namespace espalier::ui
