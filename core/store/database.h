#pragma once

#include <filesystem>
#include <string>

#include <SQLiteCpp/SQLiteCpp.h>

namespace espalier {

/// The library's SQLite file: WAL, foreign keys on, migrated to the newest version on opening. One a thread.
class Database {
public:
    /// @throws Error StoreFailed
    explicit Database(const std::filesystem::path& path);
    SQLite::Database& sql() noexcept { return database_; }

private:
    SQLite::Database database_;
};

/// ESPALIER_DATA_DIR, else `espalier` in the XDG data folder; created if missing.
std::filesystem::path data_folder();
/// data_folder() / "library.sqlite"
std::filesystem::path library_path();

}  // namespace espalier
