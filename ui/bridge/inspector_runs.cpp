#include "ui/bridge/inspector_runs.h"

#include <fmt/format.h>

#include "prune/write_pruned.h"
#include "store/database.h"
#include "ui/bridge/compress_draft.h"

namespace espalier::ui {
namespace {

/// Of the experts: half is where the choice is least certain.
constexpr double stableShare = 0.5;
/// Of the tokens; a tenth of the time ends it before, where models write slowly.
constexpr double ownTextShare = 0.5;

std::filesystem::path appliedPath(const ApplyDraft& draft) {
    return data_folder() / "plans" / "applied" / (draft.name.toStdString() + ".json");
}

/// What the stage reads: later edits of the plan do not change the run.
std::filesystem::path writeApplied(const ApplyDraft& draft) {
    ExpertPlan plan = completePlan(*draft.data, draft.plan);
    plan.accept = draft.accept;
    require_writable(plan, draft.data->config, draft.format);
    const auto path = appliedPath(draft);
    std::filesystem::create_directories(path.parent_path());
    save_expert_plan(plan, path);
    return path;
}

/// Merging and constants take what calibration saw of the experts that go.
bool needsStatistics(const ApplyDraft& draft) {
    return draft.plan.state.merges() || draft.plan.state.replaces();
}

}  // namespace

Recipe collectRecipe(const CollectDraft& draft) {
    Json config = {{"tokens", draft.tokens}, {"context", draft.context}};
    if (draft.gathersAll) config["stats"] = "all";
    if (draft.endsEarly) config["stable_share"] = stableShare;
    if (draft.writesOwnText) config["own_text_share"] = ownTextShare;
    return {.model = draft.model.toStdString(),
            .data = draft.data,
            .seed = 0,
            .stages = {{"calibrate", std::move(config)}}};
}

StageEstimate estimateCollect(const CollectDraft& draft) {
    const auto model = ModelSource::open(draft.model.toStdString());
    return estimate_plan(collectRecipe(draft), *model).stages.front();
}

RunRequest collectRun(const CollectDraft& draft) {
    return {.recipe = collectRecipe(draft),
            .out = freeRunFolder(modelName(draft.model) + QStringLiteral("-statistics")),
            .library = library_path()};
}

QString statisticsOf(const QString& folder) {
    return folder + QStringLiteral("/01-calibrate/stats.safetensors");
}

QString collectCommand(const CollectDraft& draft) {
    QString command =
        QStringLiteral("espalier-cli calibrate %1").arg(shellQuoted(draft.model.toStdString()));
    for (const DataSource& source : draft.data) {
        command += QStringLiteral(" --data %1=%2")
                       .arg(QString::fromStdString(source.task), shellQuoted(source.path));
    }
    command += QStringLiteral(" --tokens %1 --context %2").arg(draft.tokens).arg(draft.context);
    if (draft.gathersAll) command += QStringLiteral(" --stats all");
    if (draft.endsEarly) command += QStringLiteral(" --stable-share %1").arg(stableShare);
    if (draft.writesOwnText) command += QStringLiteral(" --own-text %1").arg(ownTextShare);
    return command + QStringLiteral(" --out statistics.safetensors");
}

RunRequest applyRun(const ApplyDraft& draft) {
    Json config = {{"plan_path", writeApplied(draft).string()}};
    if (draft.format == PruneFormat::Native) config["native"] = true;
    if (needsStatistics(draft)) config["stats_path"] = draft.data->statsPath.toStdString();
    return {.recipe = {.model = draft.data->model.toStdString(),
                       .data = draft.data->data,  // for comparing the routing
                       .seed = 0,
                       .stages = {{"prune", std::move(config)}}},
            .out = freeRunFolder(draft.name),
            .library = library_path()};
}

QString applyCommand(const ApplyDraft& draft) {
    QString command =
        QStringLiteral("espalier-cli prune %1 --expert-plan %2")
            .arg(shellQuoted(draft.data->model.toStdString()), shellQuoted(writeApplied(draft)));
    if (draft.format == PruneFormat::Native) command += QStringLiteral(" --native");
    if (needsStatistics(draft))
        command +=
            QStringLiteral(" --stats %1").arg(shellQuoted(draft.data->statsPath.toStdString()));
    return command + QStringLiteral(" --out %1").arg(shellQuoted(freeRunFolder(draft.name)));
}

QString shellQuoted(const std::filesystem::path& path) {
    QString text = QString::fromStdString(path.string());
    return QLatin1Char('\'') + text.replace(QLatin1Char('\''), QLatin1String("'\\''")) +
           QLatin1Char('\'');
}

}  // namespace espalier::ui
