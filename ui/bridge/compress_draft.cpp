#include "ui/bridge/compress_draft.h"

#include <QFileInfo>

#include "pipeline/make_recipe.h"
#include "pipeline/prune_stage.h"
#include "store/database.h"

namespace espalier::ui {
namespace {

constexpr std::int64_t sampleTokens = 40'000;

DataSource textFile(const QString& path) {
    const std::filesystem::path file = path.toStdString();
    return {file, file.stem().string(), 1.0};
}

void readStage(CompressDraft& draft, const StageEntry& entry) {
    const Json& config = entry.config;
    if (entry.stage == "calibrate") {
        draft.tokens = config.value("tokens", draft.tokens);
        draft.stats = QString::fromStdString(config.value("stats", std::string()));
    } else if (entry.stage == "prune") {
        draft.keepExperts = config.value("keep_experts", draft.keepExperts);
        const PruneConfig prune = config_from_json<PruneConfig>(config, "prune");
        draft.criterion = QString::fromStdString(prune.criterion);
        draft.searchSeconds = prune.search_seconds;
    } else if (entry.stage == "quantize") {
        draft.fileType = QString::fromStdString(config.value("type", draft.fileType.toStdString()));
    } else if (entry.stage == "evaluate") {
        for (const Json& file : config.value("files", Json::array())) {
            draft.measured.push_back(textFile(QString::fromStdString(file.get<std::string>())));
        }
    }
}

}  // namespace

Recipe makeRecipe(const CompressDraft& draft) {
    RecipeChoices choices{
        .model = draft.model.toStdString(),
        .keep = {},
        .type = draft.fileType.toStdString(),
        .data = draft.data,
        .heldout = {},
        .criterion = draft.criterion.toStdString(),
        .search_seconds = draft.searchSeconds,
        .stats = draft.stats.toStdString(),
        .tokens = draft.tokens,
        .seed = draft.seed,
    };
    if (draft.keepExperts > 0) choices.keep.experts = draft.keepExperts;
    for (const DataSource& source : draft.measured) choices.heldout.push_back(source.path);
    return make_recipe(choices, draft.contextLength);
}

CompressDraft draftFromRecipe(const Recipe& recipe) {
    CompressDraft draft;
    draft.model = QString::fromStdString(recipe.model.string());
    draft.data = recipe.data;
    draft.seed = recipe.seed;
    draft.keepExperts = 0;
    draft.fileType.clear();
    for (const StageEntry& entry : recipe.stages) readStage(draft, entry);
    draft.name = suggestedName(draft);
    return draft;
}

QString modelName(const QString& path) {
    const QFileInfo model(path);
    const QFileInfo parent(model.path());
    if (parent.fileName() == QLatin1String("snapshots")) {
        // models--owner--name/snapshots/revision; old repositories have no owner.
        const QStringList parts = QFileInfo(parent.path()).fileName().split(QStringLiteral("--"));
        if (parts.first() == QLatin1String("models") && parts.size() > 1)
            return parts.mid(parts.size() > 2 ? 2 : 1).join(QStringLiteral("--"));
    }
    const QString name =
        model.suffix() == QLatin1String("gguf") ? model.completeBaseName() : model.fileName();
    return name == QLatin1String("model") ? parent.fileName() : name;
}

QString suggestedName(const CompressDraft& draft) {
    QString base = modelName(draft.model);
    if (draft.keepExperts > 0) base += QStringLiteral("-keep%1").arg(draft.keepExperts);
    if (!draft.fileType.isEmpty()) base += QLatin1Char('-') + draft.fileType;
    return base;
}

CompressDraft sampleDraft(const QString& folder) {
    CompressDraft draft;
    draft.model = folder + QStringLiteral("/model");
    draft.keepExperts = 16;
    draft.criterion = QStringLiteral("reap");
    draft.tokens = sampleTokens;
    for (const char* task : {"python", "cpp", "prose"}) {
        const QString file = QLatin1Char('/') + QLatin1String(task) + QStringLiteral(".txt");
        draft.data.push_back(textFile(folder + QStringLiteral("/calibration") + file));
        draft.measured.push_back(textFile(folder + QStringLiteral("/heldout") + file));
    }
    draft.name = suggestedName(draft);
    return draft;
}

std::filesystem::path draftPath() { return data_folder() / "drafts" / "compress.json"; }

std::filesystem::path freeRunFolder(const QString& name) {
    const std::filesystem::path runs = data_folder() / "runs";
    std::filesystem::path folder = runs / name.toStdString();
    for (int number = 2; std::filesystem::exists(folder); ++number) {
        folder = runs / (name.toStdString() + "-" + std::to_string(number));
    }
    return folder;
}

}  // namespace espalier::ui
