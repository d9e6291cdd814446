#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/json.h"
#include "tokenizer/tokenizer.h"

namespace espalier {

/// One file of the user's data and what it stands for.
struct DataSource {
    std::filesystem::path path;
    std::string task;  ///< label, e.g. "python"; empty = the file's name without extension
    double weight = 1.0;
    bool operator==(const DataSource&) const = default;
};

/// "[TASK=]PATH", as the command line takes it; what stands before a `=` is no task if it holds a
/// `/`.
/// @throws Error UsageInvalid
DataSource parse_data_source(std::string_view text);

struct Document {
    std::string text;
    std::string task;
};

/// Reads JSONL (by its ending `.jsonl`, `.ndjson` or `.json`: `text`, or `messages` rendered by the
/// chat template in `chat_template`, one document a line); any other file is plain text and one
/// document.
/// @param tokenizer_config for the template's special tokens; may be null
/// @throws Error DataLine with file, line and field; DataEmpty if there is no text at all
std::vector<Document> read_documents(const DataSource& source, std::string_view chat_template,
                                     const Json& tokenizer_config = Json());

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
    std::int64_t max_probe_tokens = 65'536;  ///< shared by weight like max_tokens; 0 = all
    Json tokenizer_config = Json();  ///< for the chat template's special tokens; may be null
};

/// Calibration windows: documents of a task are tokenised in order without special tokens, joined,
/// and cut; the last window of a task may be shorter. Where a probe is held out, plain text counts
/// as documents of about 4 kB, cut at line ends; otherwise it is tokenised as a whole. Equal
/// documents land on the same side. Also hashes the data, for the statistics file.
struct CalibrationData {
    TokenWindows calibration;
    TokenWindows probe;     ///< empty unless held out
    std::string data_hash;  ///< SHA-256 over tasks, weights and documents
};
CalibrationData make_calibration_data(std::span<const DataSource> sources,
                                      const Tokenizer& tokenizer, std::string_view chat_template,
                                      const WindowOptions& options, std::stop_token stop = {});

}  // namespace espalier
