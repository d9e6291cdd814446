#pragma once

#include <SQLiteCpp/SQLiteCpp.h>
#include <cstdint>
#include <string>
#include <string_view>

namespace espalier {

inline void bind_value(SQLite::Statement& statement, int index, std::string_view text) {
    statement.bind(index, std::string(text));
}
inline void bind_value(SQLite::Statement& statement, int index, std::int64_t value) {
    statement.bind(index, value);
}
inline void bind_value(SQLite::Statement& statement, int index, double value) {
    statement.bind(index, value);
}

/// A prepared statement with its `?` bound in order.
template <typename... Values>
SQLite::Statement prepare(SQLite::Database& database, const char* sql, const Values&... values) {
    SQLite::Statement statement(database, sql);
    int index = 0;
    (bind_value(statement, ++index, values), ...);
    return statement;
}

/// Runs a statement that returns no rows; the number of rows that it changed.
template <typename... Values>
int execute(SQLite::Database& database, const char* sql, const Values&... values) {
    return prepare(database, sql, values...).exec();
}

}  // namespace espalier
