#include "store/library.h"
#include "store/statement.h"

// What lives in the library alone: chats, and measurements outside a run.
namespace espalier {

std::int64_t Library::put_chat(const ChatRecord& chat) {
    return store_guarded("storing a chat", [&] {
        auto& sql = database_.sql();
        if (chat.id == 0) {
            execute(sql,
                    "INSERT INTO chats (title, model, messages, changed_unix) VALUES (?, ?, ?, ?)",
                    chat.title, chat.model, chat.messages, chat.changed_unix);
            return static_cast<std::int64_t>(sql.getLastInsertRowid());
        }
        execute(sql, "INSERT OR REPLACE INTO chats VALUES (?, ?, ?, ?, ?)", chat.id, chat.title,
                chat.model, chat.messages, chat.changed_unix);
        return chat.id;
    });
}

std::vector<ChatRecord> Library::chats() {
    return store_guarded("listing chats", [&] {
        std::vector<ChatRecord> result;
        SQLite::Statement rows(database_.sql(),
                               "SELECT id, title, model, messages, changed_unix FROM chats "
                               "ORDER BY changed_unix DESC, id DESC");
        while (rows.executeStep()) {
            result.push_back({rows.getColumn(0).getInt64(), rows.getColumn(1).getString(),
                              rows.getColumn(2).getString(), rows.getColumn(3).getString(),
                              rows.getColumn(4).getInt64()});
        }
        return result;
    });
}

bool Library::remove_chat(std::int64_t id) {
    return store_guarded("removing a chat", [&] {
        return execute(database_.sql(), "DELETE FROM chats WHERE id = ?", id) > 0;
    });
}

std::int64_t Library::put_evaluation(const EvaluationRecord& evaluation) {
    return store_guarded("storing a measurement", [&] {
        auto& sql = database_.sql();
        if (evaluation.id == 0) {
            execute(sql,
                    "INSERT INTO evaluations (model, reference, result, measured_unix) "
                    "VALUES (?, ?, ?, ?)",
                    evaluation.model, evaluation.reference, evaluation.result,
                    evaluation.measured_unix);
            return static_cast<std::int64_t>(sql.getLastInsertRowid());
        }
        execute(sql, "INSERT OR REPLACE INTO evaluations VALUES (?, ?, ?, ?, ?)", evaluation.id,
                evaluation.model, evaluation.reference, evaluation.result,
                evaluation.measured_unix);
        return evaluation.id;
    });
}

std::vector<EvaluationRecord> Library::evaluations() {
    return store_guarded("listing measurements", [&] {
        std::vector<EvaluationRecord> result;
        SQLite::Statement rows(database_.sql(),
                               "SELECT id, model, reference, result, measured_unix FROM "
                               "evaluations ORDER BY measured_unix DESC, id DESC");
        while (rows.executeStep()) {
            result.push_back({rows.getColumn(0).getInt64(), rows.getColumn(1).getString(),
                              rows.getColumn(2).getString(), rows.getColumn(3).getString(),
                              rows.getColumn(4).getInt64()});
        }
        return result;
    });
}

}  // namespace espalier
