#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "data/dataset.h"
#include "model/model_source.h"

namespace espalier {

/// Texts to measure a model on that calibration has not seen.
struct ProbeRequest {
    std::vector<DataSource> data;  ///< what calibration read: the tenth that it kept out
    std::filesystem::path file;    ///< a probe set of its own instead; empty = none
    std::int64_t context = 512;    ///< tokens a window
    std::int64_t max_tokens = 16'384;
};

/// @throws Error FileMissing if the model has no tokenizer, DataLine, DataEmpty, UsageInvalid
/// without any text
TokenWindows read_probe_windows(const ModelSource& model, const ProbeRequest& request);

/// Texts for a search, and others that decide at the end whether its result stands.
struct SearchWindows {
    TokenWindows seen;
    TokenWindows unseen;
};

/// What calibration read, up to request.max_tokens, and a probe of it or of a file of its own. Of a
/// file alone every fourth window stays unseen.
/// @throws as read_probe_windows(); Error DataEmpty if one side would be without a window
SearchWindows read_search_windows(const ModelSource& model, const ProbeRequest& request);

}  // namespace espalier
