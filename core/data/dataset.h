#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "tokenizer/tokenizer.h"

namespace espalier {

/// One file of the user's data and what it stands for.
struct DataSource {
    std::filesystem::path path;
    std::string task;     ///< label, e.g. "python"; empty = the file's name without extension
    double weight = 1.0;
    bool operator==(const DataSource&) const = default;
};

/// "[TASK=]PATH", as the command line takes it.
DataSource parse_data_source(std::string_view text);

struct Document {
    std::string text;
    std::string task;
};

/// Reads `.txt` (one document) or JSONL (`text`, or `messages` rendered by the chat template in
/// `chat_template`, one document a line). @throws Error DataLine with file, line and field
std::vector<Document> read_documents(const DataSource& source, std::string_view chat_template);

/// Token ids cut into windows of `context` tokens, with the task of each window.
struct TokenWindows {
    std::vector<std::vector<TokenId>> windows;
    std::vector<std::int32_t> task_of_window;  ///< index into tasks
    std::vector<std::string> tasks;
    std::int64_t num_tokens() const noexcept;
};

struct WindowOptions {
    std::int64_t context = 2048;
    std::int64_t max_tokens = 0;  ///< budget over all sources, shared by weight; 0 = all
    bool holds_out_probe = true;  ///< a tenth of the documents, chosen by hash, is kept out
};

/// Calibration windows: documents of a task are tokenised in order, joined, and cut; the last window of a
/// task may be shorter. Also hashes the data, for the statistics file.
struct CalibrationData {
    TokenWindows calibration;
    TokenWindows probe;      ///< empty unless held out
    std::string data_hash;
};
CalibrationData make_calibration_data(std::span<const DataSource> sources, const Tokenizer& tokenizer,
                                      std::string_view chat_template, const WindowOptions& options);

}  // namespace espalier
