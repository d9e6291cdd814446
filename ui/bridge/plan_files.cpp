#include "ui/bridge/plan_files.h"

#include <QFileInfo>
#include <algorithm>
#include <fmt/format.h>

#include "base/error.h"
#include "prune/explain_plan.h"
#include "prune/lost_mass.h"
#include "store/database.h"
#include "ui/bridge/plan_json.h"

namespace espalier::ui {
namespace {

namespace fs = std::filesystem;

constexpr const char* inspectorKey = "inspector";

std::string fileNameOf(const QString& name) {
    QString text = name.trimmed();
    for (QChar& c : text) {
        if (c == QLatin1Char('/') || c.unicode() < 32) c = QLatin1Char('-');
    }
    if (text.isEmpty() || text.startsWith(QLatin1Char('.'))) text.prepend(QLatin1String("plan"));
    return text.toStdString();
}

Json toJson(const SavedPlan& plan) {
    Json measured = Json::array();
    for (const MeasuredPoint& point : plan.measured) measured.push_back(toJson(point));
    Json history = Json::array();
    for (const HistoryLine& line : plan.history)
        history.push_back({{"time", line.time.toStdString()}, {"text", line.text.toStdString()}});
    return {{"name", plan.name.toStdString()},
            {"note", plan.note.toStdString()},
            {"settings", toJson(plan.state.settings)},
            {"history", std::move(history)},
            {"measured", std::move(measured)}};
}

void readInspector(const Json& json, const ExpertPlan& plan, const ExpertData& data,
                   SavedPlan& saved) {
    saved.state.settings = settingsFrom(json.value("settings", Json::object()), plan);
    for (const Json& point : json.value("measured", Json::array()))
        saved.measured.push_back(measuredPointFrom(point, data));
    const auto text = [](const Json& from, const char* key) {
        return QString::fromStdString(from.value(key, std::string()));
    };
    if (json.contains("name")) saved.name = text(json, "name");
    saved.note = text(json, "note");
    for (const Json& line : json.value("history", Json::array()))
        saved.history.push_back({text(line, "time"), text(line, "text")});
}

/// A plan from elsewhere says neither how many should stay nor that they differ by layer.
void guessSettings(PlanState& state) {
    if (state.layers.empty() || state.settings.keep > 0) return;
    state.settings.keep = state.totalKept() / static_cast<std::int64_t>(state.layers.size());
}

}  // namespace

fs::path planFolder(const ExpertData& data) {
    return data_folder() / "plans" /
           fmt::format("{}-{}", fileNameOf(data.modelName), data.modelHash.substr(0, 12));
}

fs::path planPath(const ExpertData& data, const QString& name) {
    return planFolder(data) / (fileNameOf(name) + ".json");
}

std::vector<PlanFile> findPlans(const ExpertData& data) {
    std::vector<PlanFile> plans;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(planFolder(data), error)) {
        if (entry.path().extension() != ".json") continue;
        plans.push_back({QString::fromStdString(entry.path().string()),
                         QString::fromStdString(entry.path().stem().string())});
    }
    std::sort(plans.begin(), plans.end(), [](const PlanFile& a, const PlanFile& b) {
        return QString::localeAwareCompare(a.name, b.name) < 0;
    });
    return plans;
}

QString freePlanName(const ExpertData& data, const QString& wanted) {
    QString name = wanted;
    for (int number = 2; fs::exists(planPath(data, name)); ++number)
        name = QStringLiteral("%1 %2").arg(wanted).arg(number);
    return name;
}

ExpertPlan appliedPlan(const ExpertData& data, const PlanState& state) {
    ExpertPlan plan = planOf(state);
    if (!data.canCompensate()) return plan;
    for (auto& [layer, row] : plan.layers) row.output_scale = 1.0;
    if (state.settings.compensatesLostMass && !state.replaces())
        compensate_lost_mass(plan, data.stats, data.config);
    return plan;
}

ExpertPlan completePlan(const ExpertData& data, const SavedPlan& saved) {
    ExpertPlan plan = appliedPlan(data, saved.state);
    plan.model_hash = data.modelHash;
    plan.stats_hash = data.stats.file_hash;
    if (data.hasStats()) plan.reasons["task_mass"] = task_mass_kept(data.stats, plan);
    plan.reasons[inspectorKey] = toJson(saved);
    return plan;
}

void savePlan(const ExpertData& data, const SavedPlan& plan, const fs::path& path) {
    fs::create_directories(path.parent_path());
    save_expert_plan(completePlan(data, plan), path);
}

SavedPlan loadPlan(const ExpertData& data, const fs::path& path) {
    ExpertPlan plan = load_expert_plan(path);
    plan.require_fits(data.config);
    for (const std::int64_t layer : data.config.moe_layers()) {
        if (plan.layers.contains(layer)) continue;
        for (std::int32_t e = 0; e < data.numExperts(); ++e) plan.layers[layer].kept.push_back(e);
    }
    SavedPlan saved;
    saved.name = QString::fromStdString(path.stem().string());
    saved.modelHash = QString::fromStdString(plan.model_hash);
    Json inspector = Json::object();
    if (plan.reasons.is_object()) {
        inspector = plan.reasons.value(inspectorKey, Json::object());
        plan.reasons.erase(inspectorKey);
    }
    saved.state = stateOf(plan, {});
    try {
        readInspector(inspector, plan, data, saved);
    } catch (const Json::exception&) {
        throw Error(ErrorCode::FileMalformed,
                    fmt::format("{}: what the expert inspector keeps in \"reasons\" is of the "
                                "wrong kind.",
                                path.string()),
                    "Take the entry \"inspector\" out of the file, or load another plan.");
    }
    guessSettings(saved.state);
    return saved;
}

}  // namespace espalier::ui
