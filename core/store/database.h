#pragma once

#include <SQLiteCpp/SQLiteCpp.h>
#include <filesystem>
#include <string_view>
#include <utility>

namespace espalier {

/// The library's SQLite file: WAL, foreign keys on, migrated to the newest version on opening. One
/// connection a thread; several processes may have the file open.
class Database {
public:
    /// Creates the file and its folder if missing.
    /// @throws Error StoreFailed if the file is no database, is newer than this program or cannot
    /// be opened
    explicit Database(const std::filesystem::path& path);

    SQLite::Database& sql() noexcept { return database_; }

private:
    SQLite::Database database_;
};

/// Turns what SQLite threw into an Error. Call inside a catch block.
/// @throws Error StoreFailed
[[noreturn]] void throw_store_error(std::string_view doing, const SQLite::Exception& cause);

/// Runs `work`; a failure of SQLite becomes `Error` StoreFailed that says what was being done.
template <typename Work>
decltype(auto) store_guarded(std::string_view doing, Work&& work) {
    try {
        return std::forward<Work>(work)();
    } catch (const SQLite::Exception& cause) {
        throw_store_error(doing, cause);
    }
}

/// ESPALIER_DATA_DIR, else `espalier` in the XDG data folder; created if missing.
std::filesystem::path data_folder();
/// data_folder() / "library.sqlite"
std::filesystem::path library_path();

}  // namespace espalier
