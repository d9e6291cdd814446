#include "store/library.h"
#include "store/statement.h"

// What hangs on a run: stages, metrics, routing.
namespace espalier {
namespace {

std::vector<double> numbers_of(const std::string& text) {
    return parse_json(text, "the library's routing table").get<std::vector<double>>();
}

}  // namespace

void Library::put_stage(std::string_view run_path, const StageRecord& stage) {
    store_guarded("storing a stage", [&] {
        execute(database_.sql(), "INSERT OR REPLACE INTO stages VALUES (?, ?, ?, ?, ?, ?)",
                run_path, stage.position, stage.stage, stage.seconds, stage.peak_bytes,
                stage.record);
    });
}

std::vector<StageRecord> Library::stages(std::string_view run_path) {
    return store_guarded("listing stages", [&] {
        std::vector<StageRecord> result;
        auto rows = prepare(database_.sql(),
                            "SELECT position, stage, seconds, peak_bytes, record FROM stages "
                            "WHERE run_path = ? ORDER BY position",
                            run_path);
        while (rows.executeStep()) {
            result.push_back({rows.getColumn(0).getInt64(), rows.getColumn(1).getString(),
                              rows.getColumn(2).getDouble(), rows.getColumn(3).getInt64(),
                              rows.getColumn(4).getString()});
        }
        return result;
    });
}

void Library::put_metric(std::string_view run_path, std::string_view stage, std::string_view name,
                         double value) {
    store_guarded("storing a metric", [&] {
        execute(database_.sql(), "INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?)", run_path,
                stage, name, value);
    });
}

std::map<std::string, double> Library::metrics(std::string_view run_path) {
    return store_guarded("listing metrics", [&] {
        std::map<std::string, double> result;
        auto rows = prepare(database_.sql(),
                            "SELECT name, value FROM metrics WHERE run_path = ? AND value IS NOT "
                            "NULL ORDER BY stage",
                            run_path);
        while (rows.executeStep()) {
            result[rows.getColumn(0).getString()] = rows.getColumn(1).getDouble();
        }
        return result;
    });
}

void Library::put_routing(std::string_view run_path, std::int64_t layer,
                          const std::vector<double>& load, const std::vector<double>& saliency) {
    store_guarded("storing routing counts", [&] {
        execute(database_.sql(), "INSERT OR REPLACE INTO routing VALUES (?, ?, ?, ?)", run_path,
                layer, Json(load).dump(), Json(saliency).dump());
    });
}

std::vector<RoutingRecord> Library::routing(std::string_view run_path) {
    return store_guarded("listing routing counts", [&] {
        std::vector<RoutingRecord> result;
        auto rows = prepare(database_.sql(),
                            "SELECT layer, load, saliency FROM routing WHERE run_path = ? "
                            "ORDER BY layer",
                            run_path);
        while (rows.executeStep()) {
            result.push_back({rows.getColumn(0).getInt64(),
                              numbers_of(rows.getColumn(1).getString()),
                              numbers_of(rows.getColumn(2).getString())});
        }
        return result;
    });
}

}  // namespace espalier
