#include <QDesktopServices>
#include <QFileInfo>
#include <QMenu>
#include <QMessageBox>
#include <QPushButton>
#include <QTreeView>
#include <QUrl>

#include "ui/bridge/background_worker.h"
#include "ui/bridge/library_scan.h"
#include "ui/models/format.h"
#include "ui/models/library_filter.h"
#include "ui/models/library_model.h"
#include "ui/models/library_text.h"
#include "ui/pages/models_page.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/file_dialogs.h"

// What can be done with the models of the page.
namespace espalier::ui {

void ModelsPage::addPaths(const QStringList& paths) {
    m_banner->dismiss();
    for (const QString& path : paths) {
        m_services.worker.ask(
            this, {}, [path](TaskContext& context) { return linkPath(context, path); },
            [this](const LinkedPath& linked) {
                Q_EMIT announced(linked.isFolder
                                     ? tr("Models in %1 are listed from now on.").arg(linked.path)
                                     : tr("%1 is in the library.").arg(linked.path));
                m_scan->start();
                showState();
            },
            [this](const Failure& failure) { showFailure(failure); });
    }
}

void ModelsPage::browseFolder() {
    askForFolder(*this, tr("Choose a model folder, or one with models in it"),
                 [this](const QString& path) { addPaths({path}); });
}

void ModelsPage::browseFile() {
    askForFiles(*this, tr("Choose GGUF files"), tr("Models (*.gguf)"),
                [this](const QStringList& paths) { addPaths(paths); });
}

void ModelsPage::fillPlaces() {
    m_places->clear();
    m_places->addAction(tr("Add a &GGUF file…"), this, &ModelsPage::browseFile);
    m_places->addSeparator();
    for (const ModelRoot& root : m_scan->roots()) {
        const QString path = QString::fromStdString(root.path.string());
        if (root.origin != ModelOrigin::Folder) {
            const QString place = root.origin == ModelOrigin::HubCache
                                      ? originText(EntryOrigin::HubCache)
                                      : originText(EntryOrigin::LmStudio);
            QAction* known = m_places->addAction(
                QFileInfo::exists(path) ? tr("%1: %2", "program, folder").arg(place, path)
                                        : tr("%1: %2 (no such folder)").arg(place, path));
            known->setEnabled(false);
            continue;
        }
        QAction* forget = m_places->addAction(tr("Stop listing %1").arg(path));
        forget->setToolTip(tr("The folder and its files stay."));
        connect(forget, &QAction::triggered, this, [this, path] {
            change([folder = path.toStdString()](
                       Library& library) { library.remove_model_folder(folder); },
                   tr("Models in %1 are no longer listed.").arg(path));
        });
    }
}

void ModelsPage::compressSelected() {
    const ModelEntry* entry = selected();
    if (entry == nullptr) return;
    if (entry->canCompress()) {
        Q_EMIT compressRequested(entry->path);
    } else {
        Q_EMIT announced(obstacleSentence(*entry));
    }
}

void ModelsPage::inspectSelected() {
    const ModelEntry* entry = selected();
    if (entry != nullptr && entry->canCompress()) Q_EMIT inspectRequested(entry->path);
}

void ModelsPage::playSelected() {
    const ModelEntry* entry = selected();
    if (entry != nullptr && entry->canPlay()) Q_EMIT playRequested(entry->path);
}

void ModelsPage::revealSelected() {
    const ModelEntry* entry = selected();
    if (entry == nullptr) return;
    const QFileInfo file(entry->path);
    const QString folder = file.isDir() ? file.filePath() : file.path();
    if (!QDesktopServices::openUrl(QUrl::fromLocalFile(folder))) {
        m_banner->showMessage(
            BannerKind::Info,
            tr("No program here shows folders. The model lies in %1.").arg(folder));
    }
}

void ModelsPage::removeSelected() {
    const ModelEntry* entry = selected();
    if (entry == nullptr || entry->libraryName.isEmpty()) return;
    change(
        [name = entry->libraryName.toStdString()](Library& library) { library.remove_model(name); },
        tr("%1 is out of the library. Its files stay.").arg(entry->name));
}

void ModelsPage::askToDelete() {
    const ModelEntry* entry = selected();
    if (entry == nullptr || !entry->isOwnResult) return;
    m_services.worker.ask(
        this, "dependents",
        [path = entry->path](TaskContext& context) {
            return dependentsOf(context.library(), path);
        },
        [this, model = *entry](const Dependents& found) { askToDelete(model, found); },
        [this](const Failure& failure) { showFailure(failure); });
}

void ModelsPage::askToDelete(const ModelEntry& entry, const Dependents& dependents) {
    QStringList lines{
        tr("%1 on the disk are freed. This cannot be undone.").arg(format::fileSize(entry.bytes)),
        entry.path};
    const auto breaks = [&](int count, const QString& text) {
        if (count > 0) lines.append(QStringLiteral("• ") + text.arg(count));
    };
    breaks(dependents.runs, tr("Runs that started from it and cannot be repeated: %1"));
    breaks(m_model->rowCount(m_model->find(entry.path)),
           tr("Models made from it, which lose their original: %1"));
    breaks(dependents.chats, tr("Chats that need another model to go on: %1"));
    breaks(dependents.evaluations, tr("Measurements of it that cannot be repeated: %1"));
    lines.append(tr("The run keeps its report."));
    auto* question = new QMessageBox(this);
    question->setObjectName(QStringLiteral("dlgDelete"));
    question->setAttribute(Qt::WA_DeleteOnClose);
    question->setIcon(QMessageBox::Warning);
    question->setTextFormat(Qt::PlainText);
    question->setText(tr("Delete %1?").arg(entry.name));
    question->setInformativeText(lines.join(QLatin1Char('\n')));
    auto* yes = question->addButton(tr("Delete %1").arg(format::fileSize(entry.bytes)),
                                    QMessageBox::DestructiveRole);
    yes->setObjectName(QStringLiteral("dlgDelete_yes_btn"));
    auto* keep = question->addButton(tr("Keep it"), QMessageBox::RejectRole);
    keep->setObjectName(QStringLiteral("dlgDelete_keep_btn"));
    question->setDefaultButton(keep);
    question->setEscapeButton(keep);
    connect(yes, &QPushButton::clicked, this, [this, entry] { deleteResult(entry); });
    question->open();
}

void ModelsPage::deleteResult(const ModelEntry& entry) {
    change([run = entry.runFolder, path = entry.path](Library&) { deleteRunResult(run, path); },
           tr("%1 is deleted.").arg(entry.name));
}

void ModelsPage::change(std::function<void(Library&)> work, const QString& done) {
    m_services.worker.ask(
        this, {},
        [work = std::move(work)](TaskContext& context) {
            work(context.library());
            return true;
        },
        [this, done](bool) {
            Q_EMIT announced(done);
            m_scan->start();
            showState();
        },
        [this](const Failure& failure) { showFailure(failure); });
}

}  // namespace espalier::ui
