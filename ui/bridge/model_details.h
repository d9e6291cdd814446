#pragma once

#include <QString>
#include <QStringList>
#include <cstdint>

namespace espalier::ui {

/// What is read of a model only when someone looks at it.
struct ModelDetails {
    QString path;
    QString licence;    ///< empty = it names none
    QString tokenizer;  ///< "BPE"; empty = it has none
    std::int64_t vocabSize = 0;
    bool hasChatTemplate = false;
    QStringList files;  ///< names with sizes
};

/// Not for the GUI thread. A model that cannot be opened has no tokenizer here.
ModelDetails readModelDetails(const QString& path);

/// ModelSource::hash(): reads samples of each tensor. Not for the GUI thread. @throws Error
QString hashModel(const QString& path);

}  // namespace espalier::ui
