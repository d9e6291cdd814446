#include "calib/calibration_windows.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <set>

#include "base/error.h"
#include "base/file_hash.h"
#include "base/json.h"
#include "base/log.h"
#include "calib/own_text.h"
#include "routing/expert_stats.h"
#include "tokenizer/tokenizer.h"

namespace espalier {
namespace {

constexpr const char* kIdsHint = "Give rows of token ids: [[1, 2, 3], [4, 5, 6]].";

TokenId read_id(const Json& value, const std::filesystem::path& path, std::size_t row) {
    constexpr std::int64_t kMax = std::numeric_limits<TokenId>::max();
    if (value.is_number_integer()) {
        const auto id = value.get<std::int64_t>();
        if (id >= 0 && id <= kMax) return static_cast<TokenId>(id);
    }
    throw Error(ErrorCode::DataLine,
                fmt::format("{}: row {} holds {}, which is no token id.", path.filename().string(),
                            row, value.dump().substr(0, 40)),
                kIdsHint);
}

/// Rows longer than `context` are cut, as texts are.
void append_row(const Json& row, std::size_t number, const CalibrateRequest& request,
                TokenWindows& windows) {
    if (!row.is_array()) {
        throw Error(ErrorCode::DataLine,
                    fmt::format("{}: row {} is no list.", request.ids.filename().string(), number),
                    kIdsHint);
    }
    const std::int64_t budget =
        request.max_tokens > 0 ? request.max_tokens : std::numeric_limits<std::int64_t>::max();
    std::int64_t used = windows.num_tokens();
    std::vector<TokenId> window;
    const auto flush = [&] {
        if (window.empty()) return;
        windows.windows.push_back(window);
        windows.task_of_window.push_back(0);
        window.clear();
    };
    for (const Json& value : row) {
        if (used == budget) break;
        window.push_back(read_id(value, request.ids, number));
        ++used;
        if (static_cast<std::int64_t>(window.size()) == request.context) flush();
    }
    flush();
}

std::string hash_of(const TokenWindows& windows) {
    Sha256 hash;
    for (const auto& window : windows.windows) {
        const auto length = static_cast<std::int64_t>(window.size());
        hash.update(std::as_bytes(std::span(&length, 1)));
        hash.update(std::as_bytes(std::span(window)));
    }
    return hash.hex();
}

CalibrationWindows read_ids(const CalibrateRequest& request) {
    const Json json = read_json_file(request.ids);
    if (!json.is_array()) {
        throw Error(ErrorCode::DataLine,
                    fmt::format("{} holds no list of rows.", request.ids.filename().string()),
                    kIdsHint);
    }
    CalibrationWindows result;
    result.windows.tasks = {request.ids.stem().string()};
    std::size_t number = 0;
    for (const Json& row : json) append_row(row, number++, request, result.windows);
    result.data_hash = hash_of(result.windows);
    return result;
}

/// A probe that was calibrated on measures nothing: its documents must not be in the data.
void check_probe(const CalibrateRequest& request, const TokenizerFiles& files) {
    std::set<std::string> probe;
    for (const Document& document :
         read_documents({request.probe, "probe"}, files.chat_template, files.config)) {
        probe.insert(sha256_of_text(document.text));
    }
    for (const DataSource& source : request.data) {
        for (const Document& document : read_documents(source, files.chat_template, files.config)) {
            if (!probe.contains(sha256_of_text(document.text))) continue;
            throw Error(ErrorCode::DataLine,
                        fmt::format("{} holds a document that is also in the probe set {}.",
                                    source.path.filename().string(),
                                    std::filesystem::path(request.probe).filename().string()),
                        "Remove it from one of them: a probe must be unseen.");
        }
    }
}

CalibrationWindows read_texts(const CalibrateRequest& request, const ModelSource& source) {
    const auto files = source.tokenizer_files();
    if (!files) {
        throw Error(ErrorCode::DataEmpty, fmt::format("{} has no tokenizer.", source.name()),
                    "Calibrate on token ids, or add the model's tokenizer.json.");
    }
    const bool names_probe = !request.probe.empty() && request.probe != "none";
    if (names_probe) check_probe(request, *files);
    const Tokenizer tokenizer(files->tokenizer);
    CalibrationData data = make_calibration_data(request.data, tokenizer, files->chat_template,
                                                 {.context = request.context,
                                                  .max_tokens = request.max_tokens,
                                                  .holds_out_probe = request.probe.empty(),
                                                  .tokenizer_config = files->config});
    return {.windows = std::move(data.calibration),
            .data_hash = std::move(data.data_hash),
            .tokenizer_hash = sha256_of_text(files->tokenizer.dump())};
}

}  // namespace

CalibrationWindows read_calibration_windows(const CalibrateRequest& request,
                                            const ModelSource& source) {
    CalibrationWindows result =
        request.ids.empty() ? read_texts(request, source) : read_ids(request);
    if (result.windows.windows.empty()) {
        throw Error(ErrorCode::DataEmpty, "The calibration data holds no tokens.",
                    "Name files with text, or a larger --tokens.");
    }
    if (request.own_text.empty()) return result;
    const std::int64_t of_data = result.windows.num_tokens();
    insert_own_text(read_own_text(request.own_text, source.hash()), result.windows);
    result.own_tokens = result.windows.num_tokens() - of_data;
    result.data_hash = sha256_of_text(result.data_hash + hash_of(result.windows));
    return result;
}

std::vector<MicroBatch> cut_micro_batches(const TokenWindows& windows) {
    std::vector<MicroBatch> batches;
    MicroBatch batch;
    for (std::size_t w = 0; w < windows.windows.size(); ++w) {
        const auto length = static_cast<std::int64_t>(windows.windows[w].size());
        if (batch.num_windows > 0 && batch.num_tokens + length > kMicroBatchTokens) {
            batches.push_back(batch);
            batch = {.first_window = w,
                     .num_windows = 0,
                     .first_row = batch.first_row + batch.num_tokens,
                     .num_tokens = 0};
        }
        ++batch.num_windows;
        batch.num_tokens += length;
    }
    if (batch.num_windows > 0) batches.push_back(batch);
    return batches;
}

std::vector<MicroBatch> doubling_of(const std::vector<MicroBatch>& batches, std::size_t index) {
    const std::size_t step = std::size_t{1} << (kDoublings - 1 - index);
    std::vector<MicroBatch> own;
    std::int64_t row = 0;
    for (std::size_t i = 0; i < batches.size(); i += step) {
        const bool came_before = index > 0 && i % (2 * step) == 0;
        if (came_before) continue;
        own.push_back(batches[i]);
        own.back().first_row = row;
        row += own.back().num_tokens;
    }
    return own;
}

std::vector<MicroBatch> shard_of(const std::vector<MicroBatch>& batches, std::int64_t index,
                                 std::int64_t count) {
    const auto part = [&](std::int64_t i) {
        return batches.begin() + static_cast<std::int64_t>(batches.size()) * i / count;
    };
    std::vector<MicroBatch> own(part(index), part(index + 1));
    if (own.empty()) {
        throw Error(ErrorCode::DataEmpty,
                    fmt::format("Shard {} of {} has no tokens: the data makes {} batches.",
                                index + 1, count, batches.size()),
                    "Use fewer shards.");
    }
    const std::int64_t first_row = own.front().first_row;
    for (MicroBatch& batch : own) batch.first_row -= first_row;
    return own;
}

}  // namespace espalier
