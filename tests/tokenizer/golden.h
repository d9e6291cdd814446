#pragma once

#include <QString>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "tokenizer/tokenizer.h"

/// tests/golden/<path>.
inline std::filesystem::path golden_path(std::string_view path) {
    return std::filesystem::path(ESPALIER_TEST_DATA) / path;
}

inline espalier::Json read_golden(std::string_view path) {
    return espalier::read_json_file(golden_path(path));
}

inline espalier::Tokenizer golden_tokenizer(std::string_view name) {
    return espalier::Tokenizer(read_golden("tokenizers/" + std::string(name) + "/tokenizer.json"),
                               name);
}

/// For failure messages.
inline QByteArray quoted(const espalier::Json& json) {
    return QByteArray::fromStdString(json.dump(-1, ' ', true));
}
