#pragma once

#include <string_view>

namespace SQLite {
class Database;
}

namespace espalier {

/// The newest schema; `PRAGMA user_version` of a database that is up to date.
int newest_store_version() noexcept;

/// Applies every migration that `database` lacks, each in its own transaction.
/// @param name named in errors
/// @throws Error StoreFailed if the database is newer than this program
void migrate(SQLite::Database& database, std::string_view name);

}  // namespace espalier
