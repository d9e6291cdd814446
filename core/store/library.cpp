#include "store/library.h"

#include "store/statement.h"

namespace espalier {
namespace {

ModelRecord model_row(SQLite::Statement& row) {
    return {row.getColumn(0).getString(), row.getColumn(1).getString(),
            row.getColumn(2).getString(), row.getColumn(3).getInt64(),
            row.getColumn(4).getInt64(),  row.getColumn(5).getInt64()};
}

RunRecord run_row(SQLite::Statement& row) {
    return {row.getColumn(0).getString(), row.getColumn(1).getString(),
            row.getColumn(2).getString(), row.getColumn(3).getString(),
            row.getColumn(4).getString(), row.getColumn(5).getString(),
            row.getColumn(6).getInt64(),  row.getColumn(7).getInt64()};
}

constexpr const char* kModelColumns =
    "SELECT name, path, family, parameters, bytes, added_unix FROM models ";
constexpr const char* kRunColumns =
    "SELECT path, name, model, state, recipe, report, started_unix, ended_unix FROM runs ";

}  // namespace

Library::Library(const std::filesystem::path& path) : database_(path) {}

void Library::put_model(const ModelRecord& model) {
    store_guarded("storing a model", [&] {
        execute(database_.sql(),
                "INSERT INTO models VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT(name) DO UPDATE SET "
                "path = excluded.path, family = excluded.family, parameters = excluded.parameters, "
                "bytes = excluded.bytes, added_unix = excluded.added_unix",
                model.name, model.path, model.family, model.parameters, model.bytes,
                model.added_unix);
    });
}

bool Library::remove_model(std::string_view name) {
    return store_guarded("removing a model", [&] {
        return execute(database_.sql(), "DELETE FROM models WHERE name = ?", name) > 0;
    });
}

std::vector<ModelRecord> Library::models() {
    return store_guarded("listing models", [&] {
        std::vector<ModelRecord> result;
        SQLite::Statement rows(database_.sql(), std::string(kModelColumns) + "ORDER BY name");
        while (rows.executeStep()) result.push_back(model_row(rows));
        return result;
    });
}

std::optional<ModelRecord> Library::find_model(std::string_view name) {
    return store_guarded("looking for a model", [&]() -> std::optional<ModelRecord> {
        SQLite::Statement rows(database_.sql(), std::string(kModelColumns) + "WHERE name = ?");
        bind_value(rows, 1, name);
        if (!rows.executeStep()) return std::nullopt;
        return model_row(rows);
    });
}

void Library::put_run(const RunRecord& run) {
    store_guarded("storing a run", [&] {
        execute(database_.sql(),
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(path) DO UPDATE SET "
                "name = excluded.name, model = excluded.model, state = excluded.state, "
                "recipe = excluded.recipe, report = excluded.report, "
                "started_unix = excluded.started_unix, ended_unix = excluded.ended_unix",
                run.path, run.name, run.model, run.state, run.recipe, run.report, run.started_unix,
                run.ended_unix);
    });
}

bool Library::remove_run(std::string_view path) {
    return store_guarded("removing a run", [&] {
        return execute(database_.sql(), "DELETE FROM runs WHERE path = ?", path) > 0;
    });
}

std::vector<RunRecord> Library::runs() {
    return store_guarded("listing runs", [&] {
        std::vector<RunRecord> result;
        SQLite::Statement rows(database_.sql(),
                               std::string(kRunColumns) + "ORDER BY started_unix DESC, path");
        while (rows.executeStep()) result.push_back(run_row(rows));
        return result;
    });
}

std::optional<RunRecord> Library::find_run(std::string_view path) {
    return store_guarded("looking for a run", [&]() -> std::optional<RunRecord> {
        SQLite::Statement rows(database_.sql(), std::string(kRunColumns) + "WHERE path = ?");
        bind_value(rows, 1, path);
        if (!rows.executeStep()) return std::nullopt;
        return run_row(rows);
    });
}

}  // namespace espalier
