#include "ui/bridge/library_scan.h"

#include <chrono>
#include <utility>

#include "ui/bridge/background_worker.h"

namespace espalier::ui {
namespace {

using namespace std::chrono_literals;

/// After this long the worker is free for others.
constexpr auto slice = 50ms;

std::vector<FoundModel> walkFor(ModelFinder& finder, const std::stop_token& stop) {
    const auto end = std::chrono::steady_clock::now() + slice;
    std::vector<FoundModel> found;
    while (!finder.is_done() && std::chrono::steady_clock::now() < end) {
        throw_if_stopped(stop);
        for (FoundModel& model : finder.step()) found.push_back(std::move(model));
    }
    return found;
}

}  // namespace

LibraryScan::LibraryScan(BackgroundWorker& worker, QObject* parent)
    : QObject(parent), m_worker(worker) {}

/// Answers of a scan that was cancelled or begun anew are dropped.
template <typename Task, typename Done>
void LibraryScan::ask(Task task, Done done) {
    m_worker.ask(
        this, "scan", std::move(task),
        [this, run = m_run, done = std::move(done)](auto&& result) {
            if (run == m_run) done(std::forward<decltype(result)>(result));
        },
        [this, run = m_run](const Failure& failure) {
            if (run != m_run) return;
            end();
            Q_EMIT failed(failure);
        });
}

void LibraryScan::start() {
    ++m_run;
    m_isRunning = true;
    m_entries.clear();
    m_toDescribe.clear();
    ask([](TaskContext& context) { return readKnownModels(context.library()); },
        [this](KnownModels known) { takeKnown(std::move(known)); });
}

void LibraryScan::cancel() {
    ++m_run;
    if (m_isRunning) end();
}

void LibraryScan::end() {
    m_isRunning = false;
    Q_EMIT ended();
}

void LibraryScan::takeKnown(KnownModels known) {
    m_known = std::move(known);
    Q_EMIT began();
    add(std::exchange(m_known.entries, {}));
    m_finder = std::make_shared<ModelFinder>(m_known.roots);
    walk();
}

void LibraryScan::walk() {
    if (m_finder->is_done()) {
        m_folders.clear();
        for (const auto& folder : m_finder->folders())
            m_folders.append(QString::fromStdString(folder.string()));
        m_wasCut = m_finder->was_cut();
        const QStringList paths = m_entries.keys();
        Q_EMIT foldersWalked(QSet<QString>(paths.begin(), paths.end()));
        describeNext();
        return;
    }
    // One slice at a time touches the finder; the queue of the worker orders them.
    ask([finder = m_finder](TaskContext& context) { return walkFor(*finder, context.stop()); },
        [this](const std::vector<FoundModel>& found) {
            takeFound(found);
            walk();
        });
}

void LibraryScan::takeFound(const std::vector<FoundModel>& found) {
    std::vector<ModelEntry> entries;
    for (const FoundModel& model : found) {
        ModelEntry entry = entryOf(model, m_known);
        const auto known = m_entries.constFind(entry.path);
        if (known != m_entries.constEnd()) {
            // The library and runs know more; the place knows where it lies.
            ModelEntry merged = *known;
            if (merged.origin == EntryOrigin::Library || merged.origin == EntryOrigin::Used)
                merged.origin = entry.origin;
            if (merged.libraryName.isEmpty() && merged.runFolder.isEmpty())
                merged.name = entry.name;
            merged.publisher = entry.publisher;
            entry = std::move(merged);
        }
        entries.push_back(std::move(entry));
    }
    add(std::move(entries));
}

void LibraryScan::add(std::vector<ModelEntry> entries) {
    for (ModelEntry& entry : entries) {
        const auto read = m_facts.constFind(entry.path);
        if (read != m_facts.constEnd() && read->stamp == entry.stamp) {
            entry.facts = read->facts;
        } else if (entry.gap == ModelGap::None && !m_toDescribe.contains(entry.path)) {
            m_toDescribe.append(entry.path);
        }
        m_entries[entry.path] = entry;
    }
    if (!entries.empty()) Q_EMIT entriesFound(entries);
}

void LibraryScan::describeNext() {
    if (m_toDescribe.isEmpty()) {
        end();
        return;
    }
    const QString path = m_toDescribe.takeFirst();
    ask([file = path.toStdString()](TaskContext&) { return readModelFacts(file); },
        [this, path](const ModelFacts& facts) {
            ModelEntry& entry = m_entries[path];
            entry.facts = facts;
            m_facts[path] = {entry.stamp, facts};
            Q_EMIT entriesFound({entry});
            describeNext();
        });
}

}  // namespace espalier::ui
