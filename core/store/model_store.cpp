#include <fmt/format.h>

#include "store/library.h"
#include "store/statement.h"

// What the library knows of models beside their records: where to look for them, hashes, words.
namespace espalier {

std::string Library::free_model_name(const std::string& name, const std::string& path) {
    std::string free = name;
    for (int number = 2;; ++number) {
        const auto taken = find_model(free);
        if (!taken || taken->path == path) return free;
        free = fmt::format("{}-{}", name, number);
    }
}

void Library::put_model_folder(std::string_view folder) {
    store_guarded("storing a folder", [&] {
        execute(database_.sql(), "INSERT OR IGNORE INTO model_folders VALUES (?)", folder);
    });
}

bool Library::remove_model_folder(std::string_view folder) {
    return store_guarded("removing a folder", [&] {
        return execute(database_.sql(), "DELETE FROM model_folders WHERE path = ?", folder) > 0;
    });
}

std::vector<std::string> Library::model_folders() {
    return store_guarded("listing folders", [&] {
        std::vector<std::string> result;
        SQLite::Statement rows(database_.sql(), "SELECT path FROM model_folders ORDER BY path");
        while (rows.executeStep()) result.push_back(rows.getColumn(0).getString());
        return result;
    });
}

void Library::put_model_text(std::string_view path, std::string_view text) {
    store_guarded("storing a note", [&] {
        execute(database_.sql(),
                "INSERT INTO model_notes (path, text) VALUES (?, ?) "
                "ON CONFLICT(path) DO UPDATE SET text = excluded.text",
                path, text);
    });
}

void Library::put_model_hash(std::string_view path, std::string_view hash, std::string_view stamp) {
    store_guarded("storing a hash", [&] {
        execute(
            database_.sql(),
            "INSERT INTO model_notes (path, hash, hash_stamp) VALUES (?, ?, ?) ON CONFLICT(path) "
            "DO UPDATE SET hash = excluded.hash, hash_stamp = excluded.hash_stamp",
            path, hash, stamp);
    });
}

std::map<std::string, ModelNotes> Library::model_notes() {
    return store_guarded("listing notes", [&] {
        std::map<std::string, ModelNotes> result;
        SQLite::Statement rows(database_.sql(),
                               "SELECT path, hash, hash_stamp, text FROM model_notes");
        while (rows.executeStep()) {
            result[rows.getColumn(0).getString()] = {rows.getColumn(1).getString(),
                                                     rows.getColumn(2).getString(),
                                                     rows.getColumn(3).getString()};
        }
        return result;
    });
}

}  // namespace espalier
