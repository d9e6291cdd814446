#include "pipeline/probe_windows.h"

#include <fmt/format.h>

#include "base/error.h"
#include "tokenizer/tokenizer.h"

namespace espalier {
namespace {

/// Of the texts that nobody has seen, more would tell little.
constexpr std::int64_t kMaxUnseenTokens = 16'384;
constexpr std::size_t kUnseenEvery = 4;

struct TextReader {
    TextReader(const ModelSource& model, const ProbeRequest& request)
        : files(read_files(model)), tokenizer(files.tokenizer), context(request.context) {}

    /// @param max_probe_tokens 0: nothing is held out
    CalibrationData read(const std::vector<DataSource>& data, std::int64_t max_tokens,
                         std::int64_t max_probe_tokens) const {
        return make_calibration_data(data, tokenizer, files.chat_template,
                                     {.context = context,
                                      .max_tokens = max_tokens,
                                      .holds_out_probe = max_probe_tokens > 0,
                                      .max_probe_tokens = max_probe_tokens,
                                      .tokenizer_config = files.config});
    }
    TokenWindows read_file(const std::filesystem::path& file, std::int64_t max_tokens) const {
        return read({{file, "", 1.0}}, max_tokens, 0).calibration;
    }

    static TokenizerFiles read_files(const ModelSource& model) {
        if (auto files = model.tokenizer_files()) return std::move(*files);
        throw Error(
            ErrorCode::FileMissing,
            fmt::format("{} has no tokenizer, so texts cannot be read.", model.path().string()),
            "Put its tokenizer.json into the folder.");
    }

    TokenizerFiles files;
    Tokenizer tokenizer;
    std::int64_t context;
};

void require_text(const ProbeRequest& request) {
    if (!request.file.empty() || !request.data.empty()) return;
    throw Error(ErrorCode::UsageInvalid, "There is no text to measure on.",
                "Name the texts that were calibrated on (a tenth of them was kept out for "
                "this), or a probe set.");
}

/// Every fourth window of each task is kept back.
SearchWindows split(TokenWindows all) {
    SearchWindows parts;
    parts.seen.tasks = parts.unseen.tasks = all.tasks;
    std::vector<std::size_t> count(all.tasks.size(), 0);
    for (std::size_t w = 0; w < all.windows.size(); ++w) {
        const std::int32_t task = all.task_of_window[w];
        const std::size_t place = count[static_cast<std::size_t>(task)]++;
        TokenWindows& part = place % kUnseenEvery == 1 ? parts.unseen : parts.seen;
        part.windows.push_back(std::move(all.windows[w]));
        part.task_of_window.push_back(task);
    }
    return parts;
}

}  // namespace

TokenWindows read_probe_windows(const ModelSource& model, const ProbeRequest& request) {
    require_text(request);
    const TextReader reader(model, request);
    if (!request.file.empty()) return reader.read_file(request.file, request.max_tokens);
    // Of the other nine tenths nothing is needed.
    TokenWindows probe = reader.read(request.data, request.context, request.max_tokens).probe;
    if (!probe.windows.empty()) return probe;
    throw Error(ErrorCode::DataEmpty, "No text was kept out of calibration.",
                "Give more than one document, or a probe set.");
}

SearchWindows read_search_windows(const ModelSource& model, const ProbeRequest& request) {
    require_text(request);
    const TextReader reader(model, request);
    SearchWindows windows;
    if (request.data.empty()) {
        windows = split(reader.read_file(request.file, request.max_tokens));
    } else {
        CalibrationData data = reader.read(request.data, request.max_tokens, kMaxUnseenTokens);
        windows = {std::move(data.calibration), std::move(data.probe)};
        if (!request.file.empty())
            windows.unseen = reader.read_file(request.file, kMaxUnseenTokens);
    }
    if (!windows.seen.windows.empty() && !windows.unseen.windows.empty()) return windows;
    throw Error(ErrorCode::DataEmpty,
                "The texts are too short to search on some and to check the result on others.",
                "Give more than one document or a longer probe text.");
}

}  // namespace espalier
