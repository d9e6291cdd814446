#include "pipeline/probe_windows.h"

#include <fmt/format.h>

#include "base/error.h"
#include "tokenizer/tokenizer.h"

namespace espalier {

TokenWindows read_probe_windows(const ModelSource& model, const ProbeRequest& request) {
    if (request.file.empty() && request.data.empty()) {
        throw Error(ErrorCode::UsageInvalid, "There is no text to measure on.",
                    "Name the texts that were calibrated on (a tenth of them was kept out for "
                    "this), or a probe set.");
    }
    const auto files = model.tokenizer_files();
    if (!files) {
        throw Error(
            ErrorCode::FileMissing,
            fmt::format("{} has no tokenizer, so texts cannot be read.", model.path().string()),
            "Put its tokenizer.json into the folder.");
    }
    const Tokenizer tokenizer(files->tokenizer);
    WindowOptions options{.context = request.context,
                          .max_tokens = request.max_tokens,
                          .holds_out_probe = request.file.empty(),
                          .max_probe_tokens = request.max_tokens,
                          .tokenizer_config = files->config};
    if (options.holds_out_probe) {
        options.max_tokens = request.context;  // of the other nine tenths nothing is needed
        TokenWindows probe =
            make_calibration_data(request.data, tokenizer, files->chat_template, options).probe;
        if (!probe.windows.empty()) return probe;
        throw Error(ErrorCode::DataEmpty, "No text was kept out of calibration.",
                    "Give more than one document, or a probe set.");
    }
    const std::vector<DataSource> source{{request.file, "", 1.0}};
    return make_calibration_data(source, tokenizer, files->chat_template, options).calibration;
}

}  // namespace espalier
