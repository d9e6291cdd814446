#include "store/database.h"

#include <cstdlib>
#include <fmt/format.h>
#include <string>
#include <system_error>

#include "base/error.h"
#include "store/migrations.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

// The window and a run started on the command line may write at the same time.
constexpr int kBusyMilliseconds = 10'000;

void create_folder(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) {
        throw Error(
            ErrorCode::DiskWrite,
            fmt::format("The folder {} could not be made: {}.", folder.string(), error.message()),
            "Set ESPALIER_DATA_DIR to a folder that you can write to.");
    }
}

SQLite::Database open_file(const fs::path& path) {
    if (path.has_parent_path()) create_folder(path.parent_path());
    return store_guarded(fmt::format("opening {}", path.string()), [&] {
        SQLite::Database database(path.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE,
                                  kBusyMilliseconds);
        database.exec("PRAGMA journal_mode = WAL");
        database.exec("PRAGMA synchronous = NORMAL");
        database.exec("PRAGMA foreign_keys = ON");
        return database;
    });
}

}  // namespace

Database::Database(const fs::path& path) : database_(open_file(path)) {
    store_guarded(fmt::format("bringing {} up to date", path.string()),
                  [&] { migrate(database_, path.string()); });
}

void throw_store_error(std::string_view doing, const SQLite::Exception& cause) {
    throw Error(ErrorCode::StoreFailed,
                fmt::format("The library failed while {}: {}.", doing, cause.what()),
                "If the file is damaged, move it away: everything but chats is read again from the "
                "run folders.");
}

fs::path data_folder() {
    const auto from_environment = [](const char* name) {
        const char* value = std::getenv(name);
        return fs::path(value != nullptr ? value : "");
    };
    fs::path folder = from_environment("ESPALIER_DATA_DIR");
    if (folder.empty()) {
        fs::path xdg = from_environment("XDG_DATA_HOME");
        if (!xdg.is_absolute()) xdg = from_environment("HOME") / ".local" / "share";
        folder = xdg / "espalier";
    }
    create_folder(folder);
    return folder;
}

fs::path library_path() { return data_folder() / "library.sqlite"; }

}  // namespace espalier
