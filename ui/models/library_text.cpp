#include "ui/models/library_text.h"

#include <QCoreApplication>
#include <QDateTime>
#include <QLocale>

#include "ui/models/format.h"
#include "ui/models/library_model.h"

namespace espalier::ui {
namespace {

constexpr double mixedShare = 0.95;  ///< a type that holds less is not the only one that counts

QString tr(const char* text, const char* comment = nullptr) {
    return QCoreApplication::translate("library", text, comment);
}

QString gapText(ModelGap gap) {
    switch (gap) {
        case ModelGap::Weights:
            return tr("no weights");
        case ModelGap::Parts:
            return tr("parts missing");
        case ModelGap::Download:
            return tr("unfinished download");
        case ModelGap::Format:
            return tr("no safetensors");
        case ModelGap::Access:
            return tr("not readable");
        case ModelGap::Gone:
            return tr("not there");
        case ModelGap::None:
            break;
    }
    return {};
}

QString gapSentence(const ModelEntry& entry) {
    const QString names = entry.missing.mid(0, 3).join(QStringLiteral(", "));
    switch (entry.gap) {
        case ModelGap::Weights:
            return tr("There is a config.json and no weights. Finish the download.");
        case ModelGap::Parts:
            return tr("Parts are missing: %1. Finish the download.").arg(names);
        case ModelGap::Download:
            return names.isEmpty() ? tr("Its download has not ended.")
                                   : tr("Its download has not ended: %1.").arg(names);
        case ModelGap::Format:
            return tr("Its weights have PyTorch's .bin form. Convert them to safetensors.");
        case ModelGap::Access:
            return tr("You may not read %1.").arg(names);
        case ModelGap::Gone:
            return tr("It is not there any more: moved or deleted.");
        case ModelGap::None:
            break;
    }
    return {};
}

QString glyph(Fit fit) {
    switch (fit) {
        case Fit::Fits:
            return QStringLiteral("✓");
        case Fit::Tight:
            return QStringLiteral("!");
        case Fit::Paging:
            return QStringLiteral("⇄");
        case Fit::NeedsCompressing:
            return QStringLiteral("▼");
        case Fit::Cannot:
            break;
    }
    return QStringLiteral("✕");
}

QString parametersText(const ModelEntry& entry) {
    if (!entry.facts || entry.facts->parameters == 0) return {};
    const ModelFacts& facts = *entry.facts;
    const QString total = format::parameters(facts.parameters);
    if (facts.activeParameters >= facts.parameters) return total;
    return tr("%1 / %2", "parameters, total and active")
        .arg(total, format::parameters(facts.activeParameters));
}

QString expertsText(const ModelEntry& entry) {
    const QString obstacle = obstacleText(entry);
    if (!obstacle.isEmpty()) return obstacle;
    if (!entry.facts) return {};
    return tr("%1 × %2, %3", "experts, layers, experts a token")
        .arg(entry.facts->experts)
        .arg(entry.facts->routedLayers)
        .arg(entry.facts->topK);
}

QString expertsSpoken(const ModelEntry& entry) {
    if (!entry.canCompress()) return expertsText(entry);
    return tr("%1 experts in each of %2 layers, %3 for each token")
        .arg(entry.facts->experts)
        .arg(entry.facts->routedLayers)
        .arg(entry.facts->topK);
}

QString formatText(const ModelEntry& entry) {
    const QString container = entry.isGguf() ? tr("GGUF") : tr("hub folder");
    if (!entry.facts || entry.facts->types.empty()) return container;
    const auto& [type, bytes] = entry.facts->types.front();
    const bool isMixed =
        static_cast<double>(bytes) < mixedShare * static_cast<double>(entry.facts->tensorBytes);
    return isMixed ? tr("%1 %2 mix", "container, type of most weights").arg(container, type)
                   : QStringLiteral("%1 %2").arg(container, type);
}

QString typesTip(const ModelEntry& entry) {
    if (!entry.facts) return {};
    QStringList lines;
    for (const auto& [type, bytes] : entry.facts->types)
        lines.append(tr("%1: %2", "type, size").arg(type, format::fileSize(bytes)));
    return lines.join(QLatin1Char('\n'));
}

QString fitTip(const RowView& row) {
    if (!row.fit) return {};
    const FitSum& sum = *row.fit;
    QStringList lines{
        tr("Weights %1").arg(format::memory(sum.weights)),
        tr("+ context of %1 tokens %2").arg(format::integer(row.tokens), format::memory(sum.cache)),
        tr("+ buffers %1").arg(format::estimated(format::memory(sum.buffers))),
        tr("+ left to the system %1").arg(format::memory(sum.reserve)),
        tr("= %1, of %2 available")
            .arg(format::estimated(format::memory(sum.total)), format::memory(sum.available))};
    if (sum.fit == Fit::Paging) {
        lines.append(tr("Weights that do not fit are read from the disk for every token: %1")
                         .arg(format::estimated(format::speed(sum.tokensPerSecond))));
    } else if (sum.fit == Fit::NeedsCompressing) {
        lines.append(tr("Compressed to 4.5 bits a weight: %1")
                         .arg(format::estimated(format::fileSize(sum.resultDisk))));
    } else if (sum.fit == Fit::Cannot) {
        lines.append(row.entry.canCompress()
                         ? tr("A compressed one takes %1, more than the disk has free.")
                               .arg(format::estimated(format::fileSize(sum.resultDisk)))
                         : obstacleSentence(row.entry));
    }
    return lines.join(QLatin1Char('\n'));
}

QString usedText(qint64 time) {
    if (time <= 0) return QStringLiteral("–");
    const QDate day = QDateTime::fromSecsSinceEpoch(time).date();
    const qint64 days = day.daysTo(QDate::currentDate());
    if (days <= 0) return tr("today");
    if (days == 1) return tr("yesterday");
    constexpr qint64 recently = 30;
    if (days <= recently) return tr("%1 d", "days ago").arg(days);
    return QLocale().toString(day, QLocale::ShortFormat);
}

}  // namespace

bool isNumberColumn(int column) {
    return column == LibraryModel::Parameters || column == LibraryModel::Size;
}

QString originText(EntryOrigin origin) {
    switch (origin) {
        case EntryOrigin::HubCache:
            return tr("hub cache");
        case EntryOrigin::LmStudio:
            return QStringLiteral("LM Studio");
        case EntryOrigin::Folder:
            return tr("folder");
        case EntryOrigin::Library:
            return tr("added");
        case EntryOrigin::Run:
            return tr("run");
        case EntryOrigin::Used:
            break;
    }
    return tr("used before");
}

QString fitText(Fit fit) {
    switch (fit) {
        case Fit::Fits:
            return tr("fits");
        case Fit::Tight:
            return tr("tight");
        case Fit::Paging:
            return tr("fits with paging");
        case Fit::NeedsCompressing:
            return tr("needs compressing");
        case Fit::Cannot:
            break;
    }
    return tr("cannot");
}

QString obstacleText(const ModelEntry& entry) {
    switch (entry.obstacle()) {
        case Obstacle::Incomplete:
            return gapText(entry.gap);
        case Obstacle::Damaged:
            return tr("damaged");
        case Obstacle::NoExperts:
            return tr("no experts");
        case Obstacle::UnknownFamily:
            return tr("unknown family");
        case Obstacle::UnknownType:
            return tr("unknown type", "of numbers");
        case Obstacle::None:
        case Obstacle::NotRead:
            break;
    }
    return {};
}

QString obstacleSentence(const ModelEntry& entry) {
    switch (entry.obstacle()) {
        case Obstacle::Incomplete:
            return gapSentence(entry);
        case Obstacle::NoExperts:
            return tr("It has no experts, so there is nothing to remove.");
        case Obstacle::Damaged:
        case Obstacle::UnknownFamily:
        case Obstacle::UnknownType:
            return QStringLiteral("%1 (%2)").arg(entry.facts->problem, entry.facts->problemCode);
        case Obstacle::NotRead:
            return tr("Its headers have not been read yet.");
        case Obstacle::None:
            break;
    }
    return {};
}

QString cellText(const RowView& row, int column) {
    switch (column) {
        case LibraryModel::Name:
            return row.entry.name;
        case LibraryModel::Parameters:
            return parametersText(row.entry);
        case LibraryModel::Experts:
            return expertsText(row.entry);
        case LibraryModel::Format:
            return formatText(row.entry);
        case LibraryModel::Size:
            return row.entry.bytes > 0 ? format::fileSize(row.entry.bytes) : QString();
        case LibraryModel::Fits:
            return row.fit ? QStringLiteral("%1 %2").arg(glyph(row.fit->fit), fitText(row.fit->fit))
                           : QString();
        case LibraryModel::From:
            return originText(row.entry.origin);
        case LibraryModel::Used:
            return usedText(row.entry.usedUnix);
        default:
            return {};
    }
}

QString cellTip(const RowView& row, int column) {
    switch (column) {
        case LibraryModel::Name:
            return row.entry.publisher.isEmpty()
                       ? QStringLiteral("%1\n%2").arg(row.entry.name, row.entry.path)
                       : QStringLiteral("%1 / %2\n%3")
                             .arg(row.entry.publisher, row.entry.name, row.entry.path);
        case LibraryModel::Experts: {
            const QString obstacle = obstacleSentence(row.entry);
            return obstacle.isEmpty() ? expertsSpoken(row.entry) : obstacle;
        }
        case LibraryModel::Format:
            return typesTip(row.entry);
        case LibraryModel::Fits:
            return fitTip(row);
        case LibraryModel::From:
            return row.entry.runFolder.isEmpty() ? row.entry.path : row.entry.runFolder;
        default:
            return cellText(row, column);
    }
}

QString cellSpoken(const RowView& row, int column) {
    if (column == LibraryModel::Fits && row.fit) return fitText(row.fit->fit);
    if (column == LibraryModel::Used && row.entry.usedUnix <= 0) return tr("never");
    const QString text =
        column == LibraryModel::Experts ? expertsSpoken(row.entry) : cellText(row, column);
    return text.isEmpty() ? tr("not known") : text;
}

QString headerText(int column) {
    switch (column) {
        case LibraryModel::Name:
            return tr("Name");
        case LibraryModel::Parameters:
            return tr("Parameters");
        case LibraryModel::Experts:
            return tr("Experts");
        case LibraryModel::Format:
            return tr("Format");
        case LibraryModel::Size:
            return tr("Size");
        case LibraryModel::Fits:
            return tr("Fits");
        case LibraryModel::From:
            return tr("From");
        case LibraryModel::Used:
            return tr("Used");
        default:
            return {};
    }
}

QString headerTip(int column) {
    switch (column) {
        case LibraryModel::Parameters:
            return tr("All weights / those that one token passes through");
        case LibraryModel::Experts:
            return tr("Experts in a layer × layers with experts, experts for each token");
        case LibraryModel::Fits:
            return tr("Whether it runs in the memory that is free now");
        default:
            return headerText(column);
    }
}

}  // namespace espalier::ui
