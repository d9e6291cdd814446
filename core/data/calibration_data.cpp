#include <fmt/format.h>
#include <utility>

#include "base/cancel.h"
#include "base/error.h"
#include "base/file_hash.h"
#include "data/dataset.h"
#include "data/probe_split.h"
#include "data/token_windows.h"

namespace espalier {
namespace {

constexpr std::size_t kPlainDocumentBytes = 4096;
constexpr double kMaxWeight = 1e6;

void check(std::span<const DataSource> sources, const WindowOptions& options) {
    const auto fail = [](std::string what) {
        throw Error(ErrorCode::UsageInvalid, what, "Correct the settings of the data.");
    };
    if (options.context < 1 || options.max_tokens < 0 || options.max_probe_tokens < 0) {
        fail(fmt::format("A context of {} and budgets of {} and {} tokens make no windows.",
                         options.context, options.max_tokens, options.max_probe_tokens));
    }
    bool has_weight = false;
    for (const DataSource& source : sources) {
        if (!(source.weight >= 0 && source.weight <= kMaxWeight)) {
            fail(fmt::format("{} has the weight {}; it should lie between 0 and {}.",
                             source.path.string(), source.weight, kMaxWeight));
        }
        has_weight = has_weight || source.weight > 0;
    }
    if (!has_weight) fail("No data file has a weight above 0.");
}

/// Separates the parts by their lengths: different data cannot hash alike by shifting a boundary.
void update_hash(Sha256& hash, std::string_view part) {
    hash.update(fmt::format("{}:", part.size()));
    hash.update(part);
}

/// What is left of a source once its text is tokens.
struct SourceTokens {
    WeightedTokens calibration;
    WeightedTokens probe;
};

class SourceReader {
public:
    SourceReader(const Tokenizer& tokenizer, const WindowOptions& options, std::stop_token stop)
        : tokenizer_(tokenizer), options_(options), stop_(std::move(stop)) {}

    /// @param task outlives the result
    SourceTokens read(const std::vector<Document>& documents, std::string_view task,
                      double weight) const {
        SourceTokens result{{task, weight, {}}, {task, weight, {}}};
        if (!options_.holds_out_probe) {
            result.calibration.ids = tokenize(whole(documents), options_.max_tokens);
            return result;
        }
        const ProbeSplit split = hold_out_probe(pieces_of(documents));
        result.calibration.ids = tokenize(split.calibration, options_.max_tokens);
        result.probe.ids = tokenize(split.probe, options_.max_probe_tokens);
        return result;
    }

private:
    static std::vector<std::string_view> whole(const std::vector<Document>& documents) {
        std::vector<std::string_view> views;
        for (const Document& document : documents) views.push_back(document.text);
        return views;
    }

    /// A single document is plain text, which must be cut before a part of it can be held out.
    static std::vector<std::string_view> pieces_of(const std::vector<Document>& documents) {
        if (documents.size() > 1) return whole(documents);
        return cut_at_lines(documents.front().text, kPlainDocumentBytes);
    }

    /// No more than are needed: a source can be asked for the whole budget at most.
    std::vector<TokenId> tokenize(const std::vector<std::string_view>& texts,
                                  std::int64_t max_tokens) const {
        std::vector<TokenId> ids;
        for (const std::string_view text : texts) {
            throw_if_stopped(stop_);
            const std::vector<TokenId> more = tokenizer_.encode(text, false);
            ids.insert(ids.end(), more.begin(), more.end());
            if (max_tokens > 0 && static_cast<std::int64_t>(ids.size()) >= max_tokens) break;
        }
        return ids;
    }

    const Tokenizer& tokenizer_;
    const WindowOptions& options_;
    std::stop_token stop_;
};

}  // namespace

CalibrationData make_calibration_data(std::span<const DataSource> sources,
                                      const Tokenizer& tokenizer, std::string_view chat_template,
                                      const WindowOptions& options, std::stop_token stop) {
    check(sources, options);
    const SourceReader reader(tokenizer, options, std::move(stop));
    Sha256 hash;
    std::vector<std::string> tasks(sources.size());
    std::vector<WeightedTokens> calibration;
    std::vector<WeightedTokens> probe;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        const std::vector<Document> documents =
            read_documents(sources[i], chat_template, options.tokenizer_config);
        tasks[i] = documents.front().task;
        update_hash(hash, fmt::format("{} {}", tasks[i], sources[i].weight));
        for (const Document& document : documents) update_hash(hash, document.text);
        SourceTokens tokens = reader.read(documents, tasks[i], sources[i].weight);
        calibration.push_back(std::move(tokens.calibration));
        probe.push_back(std::move(tokens.probe));
    }
    CalibrationData data;
    data.calibration =
        cut_windows(calibration, share_budget(calibration, options.max_tokens), options.context);
    data.probe = cut_windows(probe, share_budget(probe, options.max_probe_tokens), options.context);
    data.data_hash = hash.hex();
    if (data.calibration.windows.empty()) {
        throw Error(ErrorCode::DataEmpty, "The data hold no tokens to calibrate on.",
                    "Add text, or hold out no probe.");
    }
    return data;
}

}  // namespace espalier
