#include "ui/bridge/known_models.h"

#include <QDateTime>
#include <QSet>
#include <algorithm>
#include <fmt/format.h>

#include "base/error.h"
#include "model/model_report.h"
#include "pipeline/run_folder.h"
#include "store/delete_result.h"
#include "ui/bridge/background_worker.h"
#include "ui/bridge/run_summary.h"

namespace espalier::ui {
namespace {

namespace fs = std::filesystem;

QString textOf(const fs::path& path) { return QString::fromStdString(path.string()); }

std::string keyOf(const QString& path) { return model_key(path.toStdString()).string(); }

EntryOrigin originOf(ModelOrigin origin) {
    switch (origin) {
        case ModelOrigin::HubCache:
            return EntryOrigin::HubCache;
        case ModelOrigin::LmStudio:
            return EntryOrigin::LmStudio;
        case ModelOrigin::Folder:
            break;
    }
    return EntryOrigin::Folder;
}

/// Collects entries by path: what is known of a model from several sides becomes one row.
class Collection {
public:
    explicit Collection(KnownModels& known) : m_known(known) {}

    /// The entry of that path, made from its files if it is new. A path without a model gives one
    /// that says so.
    ModelEntry& at(const QString& path, EntryOrigin origin) {
        const std::string key = keyOf(path);
        for (ModelEntry& entry : m_known.entries) {
            if (entry.path.toStdString() == key) return entry;
        }
        const auto found = look_at_model(key);
        FoundModel model = found.value_or(FoundModel());
        if (!found) {
            std::error_code missing;
            const std::uintmax_t bytes = fs::file_size(key, missing);
            model.path = key;
            model.name = fs::path(key).stem().string();
            model.bytes = missing ? 0 : bytes;
            // A file without a telling name may be a model all the same.
            model.gap = missing ? ModelGap::Gone : ModelGap::None;
        }
        m_known.entries.push_back(entryOf(model, m_known));
        m_known.entries.back().origin = origin;
        return m_known.entries.back();
    }

    bool isModel(const std::string& key) const { return look_at_model(key).has_value(); }

private:
    KnownModels& m_known;
};

void noteUse(KnownModels& known, const std::string& path, std::int64_t time) {
    if (path.empty()) return;
    qint64& last = known.used[model_key(path).string()];
    last = std::max<qint64>(last, time);
}

void addRun(Collection& models, const RunSummary& run) {
    if (run.resultPath.isEmpty() || !fs::exists(run.resultPath.toStdString())) return;
    ModelEntry& entry = models.at(run.resultPath, EntryOrigin::Run);
    entry.origin = EntryOrigin::Run;
    entry.name = run.name;
    entry.runFolder = run.path;
    entry.parentPath = run.model.isEmpty() ? QString() : QString::fromStdString(keyOf(run.model));
    entry.isOwnResult = is_own_result(run.path.toStdString(), run.resultPath.toStdString());
}

void addRoots(KnownModels& known, Library& library) {
    known.roots = known_model_roots();
    for (const std::string& folder : library.model_folders()) {
        known.roots.push_back({folder, ModelOrigin::Folder});
        std::error_code ignored;
        if (!fs::is_directory(folder, ignored))
            known.lostFolders.append(QString::fromStdString(folder));
    }
}

}  // namespace

ModelEntry entryOf(const FoundModel& found, const KnownModels& known) {
    const std::string key = model_key(found.path).string();
    ModelEntry entry;
    entry.path = QString::fromStdString(key);
    entry.name = QString::fromStdString(found.name);
    entry.publisher = QString::fromStdString(found.publisher);
    entry.origin = originOf(found.origin);
    entry.gap = found.gap;
    for (const std::string& name : found.missing)
        entry.missing.append(QString::fromStdString(name));
    entry.bytes = found.bytes;
    entry.stamp = QString::fromStdString(found.stamp());
    if (const auto use = known.used.find(key); use != known.used.end())
        entry.usedUnix = use->second;
    if (const auto notes = known.notes.find(key); notes != known.notes.end()) {
        entry.note = QString::fromStdString(notes->second.text);
        if (notes->second.hash_stamp == found.stamp())
            entry.hash = QString::fromStdString(notes->second.hash);
    }
    return entry;
}

KnownModels readKnownModels(Library& library) {
    KnownModels known;
    known.machine = readMachineInfo();
    known.notes = library.model_notes();
    addRoots(known, library);
    const std::vector<RunSummary> runs = readRuns(library, {});
    for (const RunSummary& run : runs) {
        noteUse(known, run.model.toStdString(), run.started.toSecsSinceEpoch());
        if (run.ended.isValid())
            noteUse(known, run.resultPath.toStdString(), run.ended.toSecsSinceEpoch());
    }
    for (const ChatRecord& chat : library.chats()) noteUse(known, chat.model, chat.changed_unix);
    Collection models(known);
    for (const ModelRecord& record : library.models()) {
        ModelEntry& entry = models.at(QString::fromStdString(record.path), EntryOrigin::Library);
        entry.libraryName = QString::fromStdString(record.name);
        entry.name = entry.libraryName;
    }
    for (const RunSummary& run : runs) addRun(models, run);
    for (const auto& [path, time] : known.used) {
        if (models.isModel(path)) models.at(QString::fromStdString(path), EntryOrigin::Used);
    }
    return known;
}

LinkedPath linkPath(TaskContext& context, const QString& path) {
    Library& library = context.library();
    const fs::path key = model_key(path.toStdString());
    if (const auto found = look_at_model(key)) {
        const auto source = ModelSource::open(found->path);
        const ModelReport report = report_on(*source);
        library.put_model({.name = library.free_model_name(found->name, found->path.string()),
                           .path = found->path.string(),
                           .family = report.family,
                           .parameters = static_cast<std::int64_t>(report.total_parameters),
                           .bytes = static_cast<std::int64_t>(report.bytes),
                           .added_unix = QDateTime::currentSecsSinceEpoch()});
        return {textOf(found->path), false};
    }
    ModelFinder finder({{key, ModelOrigin::Folder}});
    while (!finder.is_done()) {
        throw_if_stopped(context.stop());
        if (finder.step().empty()) continue;
        library.put_model_folder(key.string());
        return {textOf(key), true};
    }
    throw Error(ErrorCode::FileMissing, fmt::format("There is no model in {}.", key.string()),
                "Choose a .gguf file, a folder with config.json and safetensors files, or a folder "
                "in which such folders lie.");
}

Dependents dependentsOf(Library& library, const QString& path) {
    const std::string key = keyOf(path);
    const auto isIt = [&](const std::string& other) {
        return !other.empty() && model_key(other).string() == key;
    };
    Dependents found;
    for (const RunRecord& run : library.runs()) found.runs += isIt(run.model) ? 1 : 0;
    for (const ChatRecord& chat : library.chats()) found.chats += isIt(chat.model) ? 1 : 0;
    for (const EvaluationRecord& one : library.evaluations())
        found.evaluations += isIt(one.model) || isIt(one.reference) ? 1 : 0;
    return found;
}

void deleteRunResult(const QString& runFolder, const QString& result) {
    if (RunFolder::is_in_use(runFolder.toStdString())) {
        throw Error(ErrorCode::RunLocked,
                    fmt::format("The run in {} is going on.", runFolder.toStdString()),
                    "Wait until it has ended, or stop it.");
    }
    delete_result(runFolder.toStdString(), result.toStdString());
}

}  // namespace espalier::ui
