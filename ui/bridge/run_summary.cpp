#include "ui/bridge/run_summary.h"

#include <QFileInfo>
#include <deque>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>

#include "base/json.h"
#include "pipeline/run_folder.h"
#include "prune/expert_plan.h"

namespace espalier::ui {
namespace {

QDateTime fromUnix(std::int64_t seconds) {
    return seconds > 0 ? QDateTime::fromSecsSinceEpoch(seconds) : QDateTime();
}

void readResult(RunSummary& summary, const std::string& report) {
    if (report.empty()) return;
    const Json json = parse_json(report, "report.json");
    const Json result = json.value("result", Json::object());
    if (!result.is_object()) return;
    summary.resultPath = QString::fromStdString(result.value("path", std::string()));
    summary.resultBytes = result.value("bytes", std::uint64_t{0});
    if (!summary.resultPath.isEmpty() && QFileInfo(summary.resultPath).isRelative()) {
        summary.resultPath = summary.path + QLatin1Char('/') + summary.resultPath;
    }
}

RunSummary summaryOf(const RunRecord& record, const QString& liveFolder) {
    RunSummary summary{
        .path = QString::fromStdString(record.path),
        .name = QString::fromStdString(record.name),
        .model = QString::fromStdString(record.model),
        .state = QString::fromStdString(record.state),
        .resultPath = {},
        .started = fromUnix(record.started_unix),
        .ended = fromUnix(record.ended_unix),
    };
    summary.folderExists = QFileInfo(summary.path).isDir();
    if (summary.state == QLatin1String("running") && summary.path != liveFolder &&
        !RunFolder::is_in_use(record.path)) {
        summary.state = QStringLiteral("interrupted");
    }
    readResult(summary, record.report);
    return summary;
}

/// The verdict of the last comparison with the original.
void readRouting(RunDetails& details) {
    for (const StageRecord& stage : details.finished) {
        const Json routing =
            parse_json(stage.record, "stage.json").value("routing", Json::object());
        if (!routing.is_object() || !routing.value("verdict", Json()).is_string()) continue;
        details.routingVerdict = QString::fromStdString(routing.value("verdict", std::string()));
        QStringList reasons;
        for (const Json& worst : routing.value("worst", Json::array())) {
            reasons.append(QStringLiteral("%1 %2 (%3)")
                               .arg(QString::fromStdString(worst.value("metric", std::string())),
                                    QString::number(worst.value("value", 0.0), 'g', 3),
                                    QString::fromStdString(worst.value("verdict", std::string()))));
        }
        details.routingReasons = reasons.join(QStringLiteral(", "));
    }
}

std::string stageFolder(const RunDetails& details, std::int64_t position,
                        const std::string& stage) {
    return fmt::format("{}/{:02}-{}", details.summary.path.toStdString(), position + 1, stage);
}

/// What a finished stage left under `key`, if it is still there.
std::optional<std::filesystem::path> outputOf(const RunDetails& details, const StageRecord& stage,
                                              const char* key) {
    const Json record = parse_json(stage.record, "stage.json");
    const std::string name = record.value("outputs", Json::object()).value(key, std::string());
    if (name.empty()) return std::nullopt;
    auto path = std::filesystem::path(stageFolder(details, stage.position, stage.stage)) / name;
    return std::filesystem::exists(path) ? std::optional(std::move(path)) : std::nullopt;
}

/// The first statistics, before any stage changed the model.
void readStats(RunDetails& details) {
    for (const StageRecord& stage : details.finished) {
        if (outputOf(details, stage, "model")) return;
        if (const auto path = outputOf(details, stage, "stats")) {
            details.statsPath = QString::fromStdString(path->string());
            return;
        }
    }
}

/// Which experts stay, if a stage left a plan.
void readPlan(RunDetails& details) {
    for (const StageRecord& stage : details.finished) {
        const auto path = outputOf(details, stage, "plan");
        if (!path) continue;
        for (const auto& [layer, plan] : load_expert_plan(*path).layers)
            details.kept[layer] = plan.kept;
    }
}

/// Those of a stage that is under way, too.
void readRounds(RunDetails& details) {
    for (std::size_t i = 0; i < details.stages.size(); ++i) {
        if (details.stages[i] != "prune") continue;
        for (const char* state : {"", ".partial"}) {
            const std::string folder =
                stageFolder(details, static_cast<std::int64_t>(i), "prune") + state + "/rounds";
            const auto file = [&folder](std::size_t round) {
                return std::filesystem::path(fmt::format("{}/{:02}/round.json", folder, round));
            };
            for (std::size_t round = 1; std::filesystem::exists(file(round)); ++round)
                details.rounds.push_back(read_json_file(file(round)));
        }
    }
}

/// "2026-11-24 01:43:17 warning quant: …"
LogLine lineFrom(const std::string& text) {
    constexpr std::size_t timeLength = 20;
    const std::string_view rest =
        text.size() > timeLength ? std::string_view(text).substr(timeLength) : std::string_view();
    if (rest.starts_with("error") || rest.starts_with("critical")) return {"error", text};
    return {rest.starts_with("warn") ? "warn" : "info", text};
}

void readLog(RunDetails& details) {
    constexpr std::size_t mostLines = 2000;
    std::ifstream file(std::filesystem::path(details.summary.path.toStdString()) / "log.txt");
    std::deque<LogLine> lines;
    for (std::string line; std::getline(file, line);) {
        lines.push_back(lineFrom(line));
        if (lines.size() > mostLines) lines.pop_front();
    }
    details.log.assign(lines.begin(), lines.end());
}

}  // namespace

std::vector<RunSummary> readRuns(Library& library, const QString& liveFolder) {
    std::vector<RunSummary> runs;
    for (const RunRecord& record : library.runs()) runs.push_back(summaryOf(record, liveFolder));
    return runs;
}

RunDetails readRunDetails(Library& library, const QString& path, const QString& liveFolder) {
    const std::string key = path.toStdString();
    RunDetails details;
    details.summary.path = path;
    details.summary.name = QFileInfo(path).fileName();
    if (const auto record = library.find_run(key)) {
        details.summary = summaryOf(*record, liveFolder);
        const Json recipe = parse_json(record->recipe, "recipe.json");
        for (const Json& stage : recipe.value("stages", Json::array())) {
            details.stages.push_back(stage.value("stage", std::string()));
        }
        details.finished = library.stages(key);
        details.routing = library.routing(key);
        details.metrics = library.metrics(key);
        readRouting(details);
        readPlan(details);
        readRounds(details);
        readStats(details);
        readLog(details);
    }
    return details;
}

}  // namespace espalier::ui
