#pragma once

#include <QMetaType>
#include <QString>
#include <cstdint>
#include <filesystem>

namespace espalier::ui {

/// What the window says about a model, read from its headers alone.
struct ModelInfo {
    QString path;
    QString name;
    QString family;
    QString storedType;
    std::int64_t layers = 0;
    std::int64_t routedLayers = 0;
    std::int64_t hiddenSize = 0;
    std::int64_t experts = 0;
    std::int64_t topK = 0;
    std::int64_t contextLength = 0;
    std::int64_t vocabSize = 0;
    std::uint64_t parameters = 0;
    std::uint64_t activeParameters = 0;
    std::uint64_t bytes = 0;
    bool hasTokenizer = false;
    bool hasChatTemplate = false;
    bool operator==(const ModelInfo&) const = default;
};

/// Opens the model and checks it. Not for the GUI thread. @throws Error
ModelInfo readModelInfo(const std::filesystem::path& path);

}  // namespace espalier::ui

Q_DECLARE_METATYPE(espalier::ui::ModelInfo)
