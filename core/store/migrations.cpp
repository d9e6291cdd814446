#include "store/migrations.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <array>
#include <fmt/format.h>
#include <string>

#include "base/error.h"

namespace espalier {
namespace {

// Migration i leads from version i to version i + 1. A migration that has been released never
// changes.
constexpr std::array kMigrations{
    R"sql(
CREATE TABLE models (
    name       TEXT PRIMARY KEY,
    path       TEXT NOT NULL,
    family     TEXT NOT NULL,
    parameters INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    added_unix INTEGER NOT NULL
);
CREATE TABLE runs (
    path         TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    model        TEXT NOT NULL,
    state        TEXT NOT NULL,
    recipe       TEXT NOT NULL,
    report       TEXT NOT NULL,
    started_unix INTEGER NOT NULL,
    ended_unix   INTEGER NOT NULL
);
CREATE TABLE stages (
    run_path   TEXT NOT NULL REFERENCES runs(path) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    stage      TEXT NOT NULL,
    seconds    REAL NOT NULL,
    peak_bytes INTEGER NOT NULL,
    record     TEXT NOT NULL,
    PRIMARY KEY (run_path, position)
);
CREATE TABLE metrics (
    run_path TEXT NOT NULL REFERENCES runs(path) ON DELETE CASCADE,
    stage    TEXT NOT NULL,
    name     TEXT NOT NULL,
    value    REAL,
    PRIMARY KEY (run_path, stage, name)
);
CREATE TABLE routing (
    run_path TEXT NOT NULL REFERENCES runs(path) ON DELETE CASCADE,
    layer    INTEGER NOT NULL,
    load     TEXT NOT NULL,
    saliency TEXT NOT NULL,
    PRIMARY KEY (run_path, layer)
);
CREATE TABLE evaluations (
    id            INTEGER PRIMARY KEY,
    model         TEXT NOT NULL,
    reference     TEXT NOT NULL,
    result        TEXT NOT NULL,
    measured_unix INTEGER NOT NULL
);
CREATE TABLE chats (
    id           INTEGER PRIMARY KEY,
    title        TEXT NOT NULL,
    model        TEXT NOT NULL,
    messages     TEXT NOT NULL,
    changed_unix INTEGER NOT NULL
);
)sql",
    R"sql(
CREATE TABLE model_folders (
    path TEXT PRIMARY KEY
);
CREATE TABLE model_notes (
    path       TEXT PRIMARY KEY,
    hash       TEXT NOT NULL DEFAULT '',
    hash_stamp TEXT NOT NULL DEFAULT '',
    text       TEXT NOT NULL DEFAULT ''
);
)sql",
};

int version_of(SQLite::Database& database) {
    return database.execAndGet("PRAGMA user_version").getInt();
}

void apply(SQLite::Database& database, int version) {
    // Immediate: a second process that opens the same new file waits here, then finds it done.
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    if (version_of(database) != version) return;
    database.exec(kMigrations[static_cast<std::size_t>(version)]);
    database.exec(fmt::format("PRAGMA user_version = {}", version + 1));
    transaction.commit();
}

}  // namespace

int newest_store_version() noexcept { return static_cast<int>(kMigrations.size()); }

void migrate(SQLite::Database& database, std::string_view name) {
    const int version = version_of(database);
    if (version > newest_store_version()) {
        throw Error(ErrorCode::StoreFailed,
                    fmt::format("{} has version {}, this program knows versions up to {}.", name,
                                version, newest_store_version()),
                    "Update Espalier, or set ESPALIER_DATA_DIR to another folder.");
    }
    for (int step = version; step < newest_store_version(); ++step) apply(database, step);
}

}  // namespace espalier
