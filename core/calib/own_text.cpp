#include "calib/own_text.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <fmt/format.h>
#include <span>
#include <utility>

#include "base/atomic_file.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/thread_pool.h"
#include "calib/calibration_windows.h"
#include "infer/generator.h"
#include "model/model_source.h"

namespace espalier {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

/// Tokens of a window that the model goes on from, and the fewest that are worth a window.
constexpr std::size_t kBeginning = 64;
constexpr std::size_t kLeast = 16;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// One call of write_own_text().
class Writing {
public:
    Writing(const CalibrateRequest& request, const OwnTextOptions& options, std::stop_token stop)
        : options_(options),
          stop_(std::move(stop)),
          source_(ModelSource::open(request.model)),
          data_(read_calibration_windows(request, *source_)),
          pool_(options.num_threads),
          context_(static_cast<std::size_t>(request.context)) {
        identity_ = {{"version", 1},
                     {"model_hash", source_->hash()},
                     {"data_hash", data_.data_hash},
                     {"share", options.share},
                     {"seconds", options.seconds},
                     {"seed", options.seed}};
    }

    /// Whether the file is what a call before has written.
    bool has_written(const fs::path& file) const {
        if (!fs::exists(file)) return false;
        Json json = read_json_file(file);
        if (!json.is_object() || !json.contains("model_hash")) {
            throw Error(
                ErrorCode::FileExists,
                fmt::format("{} is there already, and no text of a model's own.", file.string()),
                "Move it away, or calibrate into another file.");
        }
        json.erase("windows");
        return json == identity_;
    }

    void run(const fs::path& file) {
        const auto files = source_->tokenizer_files();
        const Tokenizer tokenizer(files->tokenizer);
        NativeModel model(*source_, pool_);
        const auto wanted =
            static_cast<double>(data_.windows.num_tokens()) * options_.share / (1 - options_.share);
        const double most = options_.seconds > 0 ? options_.seconds : tenth_of_calibration(model);
        Generator generator(model, tokenizer, end_token_ids(*source_, tokenizer));
        const Clock::time_point start = Clock::now();
        Json rows = Json::array();
        double tokens = 0;
        for (const std::size_t w : order()) {
            const double spent = seconds_since(start);
            const double done = std::max(tokens / wanted, spent / most);
            if (options_.progress) options_.progress(std::min(1.0, done));
            if (done >= 1) break;
            auto text = continuation(generator, w, start, most);
            if (text.empty()) continue;
            tokens += static_cast<double>(text.size());
            rows.push_back(
                {{"task",
                  data_.windows.tasks[static_cast<std::size_t>(data_.windows.task_of_window[w])]},
                 {"ids", std::move(text)}});
        }
        log("calib").info("{} tokens in {} texts that the model wrote itself, in {:.0f} s", tokens,
                          rows.size(), seconds_since(start));
        Json json = identity_;
        json["windows"] = std::move(rows);
        write_file(file, json.dump());
    }

private:
    /// By how fast one window is read.
    double tenth_of_calibration(NativeModel& model) const {
        const auto& window =
            *std::max_element(data_.windows.windows.begin(), data_.windows.windows.end(),
                              [](const auto& a, const auto& b) { return a.size() < b.size(); });
        model.set_arithmetic(Arithmetic::BFloat16);  // as the layers will compute
        KvCache cache(model.config());
        const Clock::time_point start = Clock::now();
        model.forward(window, cache, LogitsFor::LastToken, nullptr, stop_);
        throw_if_stopped(stop_);
        const double all = seconds_since(start) * static_cast<double>(data_.windows.num_tokens()) /
                           static_cast<double>(window.size());
        return all * kOwnTextTime;
    }

    /// All windows, the same each time.
    std::vector<std::size_t> order() const {
        std::vector<std::size_t> order(data_.windows.windows.size());
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
        Rng(options_.seed).stream("own text").shuffle(std::span(order));
        return order;
    }

    /// Its beginning and what the model makes of it; empty if that is next to nothing.
    std::vector<TokenId> continuation(Generator& generator, std::size_t window,
                                      Clock::time_point start, double most) {
        const auto& from = data_.windows.windows[window];
        std::vector<TokenId> text(
            from.begin(), from.begin() + static_cast<std::ptrdiff_t>(
                                             std::min({kBeginning, from.size(), context_ / 2})));
        if (text.empty()) return {};
        GenerationOptions generation;
        generation.sampling.temperature = 1;
        generation.sampling.seed = Rng(options_.seed).stream(std::to_string(window)).next();
        generation.max_tokens = static_cast<std::int64_t>(context_ - text.size());
        // A text ends where the time does.
        std::stop_source time;
        const std::stop_callback passes_on(stop_, [&] { time.request_stop(); });
        const auto watch = [&](std::string_view) {
            if (seconds_since(start) >= most) time.request_stop();
        };
        const auto ids = generator.generate(text, generation, watch, time.get_token()).ids;
        throw_if_stopped(stop_);
        if (ids.size() < kLeast) return {};
        text.insert(text.end(), ids.begin(), ids.end());
        return text;
    }

    const OwnTextOptions& options_;
    std::stop_token stop_;
    std::unique_ptr<ModelSource> source_;
    CalibrationWindows data_;
    ThreadPool pool_;
    std::size_t context_;
    Json identity_;
};

}  // namespace

void validate(const OwnTextOptions& options) {
    if (options.share >= 0 && options.share <= 0.5 && options.seconds >= 0) return;
    throw Error(ErrorCode::UsageInvalid,
                fmt::format("Calibration: {} of the tokens, in {} s, cannot be the model's own.",
                            options.share, options.seconds),
                "Give a share up to 0.5, and a time of 0 or more.");
}

void write_own_text(const CalibrateRequest& request, const OwnTextOptions& options,
                    const fs::path& file, std::stop_token stop) {
    validate(options);
    if (request.data.empty()) {
        throw Error(ErrorCode::UsageInvalid, "Calibration: token ids are no text to go on from.",
                    "Name texts, or leave the model's own text away.");
    }
    Writing writing(request, options, std::move(stop));
    if (!writing.has_written(file)) writing.run(file);
}

OwnText read_own_text(const fs::path& file, const std::string& model_hash) {
    const Json json = read_json_file(file);
    const auto malformed = [&](const std::string& what) {
        return Error(ErrorCode::FileMalformed,
                     fmt::format("{}: {}.", file.filename().string(), what),
                     "Calibrate again, so that the model writes it anew.");
    };
    OwnText text;
    try {
        if (json.at("model_hash").get<std::string>() != model_hash) {
            throw Error(ErrorCode::DataLine,
                        fmt::format("{} was written by another model.", file.filename().string()),
                        "Let this model write its own.");
        }
        for (const Json& row : json.at("windows")) {
            text.task_of_window.push_back(row.at("task").get<std::string>());
            text.windows.push_back(row.at("ids").get<std::vector<std::int32_t>>());
            if (text.windows.back().empty()) throw malformed("a text is empty");
        }
    } catch (const Json::exception& error) {
        throw malformed(error.what());
    }
    return text;
}

void insert_own_text(const OwnText& text, TokenWindows& windows) {
    TokenWindows all;
    all.tasks = windows.tasks;
    const auto add_data = [&](std::size_t w) {
        all.windows.push_back(std::move(windows.windows[w]));
        all.task_of_window.push_back(windows.task_of_window[w]);
    };
    const auto add_own = [&](std::size_t i) {
        const auto task = std::find(all.tasks.begin(), all.tasks.end(), text.task_of_window[i]);
        if (task == all.tasks.end()) {
            throw Error(ErrorCode::DataLine,
                        fmt::format("The model's own text is of the task {}, which the data has "
                                    "not.",
                                    text.task_of_window[i]),
                        "Calibrate on the data that it was written from.");
        }
        all.windows.push_back(text.windows[i]);
        all.task_of_window.push_back(static_cast<std::int32_t>(task - all.tasks.begin()));
    };
    const std::size_t count = windows.windows.size();
    std::size_t own = 0;
    for (std::size_t w = 0; w < count; ++w) {
        add_data(w);
        while (own < text.windows.size() * (w + 1) / count) add_own(own++);
    }
    windows = std::move(all);
}

}  // namespace espalier
