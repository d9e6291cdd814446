#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "calib/calibrate_request.h"
#include "data/dataset.h"

namespace espalier {

/// Texts that the model writes itself are routed as they are when it answers, which what people
/// wrote is not.
struct OwnTextOptions {
    double share = 0;    ///< of all tokens that are measured, up to a half; 0: none
    double seconds = 0;  ///< at most; 0: a tenth of what the calibration should take with them
    std::uint64_t seed = 0;
    std::size_t num_threads = 0;  ///< 0 = physical cores
    /// Told the share that is done; may be empty.
    std::function<void(double share)> progress = {};
};

/// Lets the model go on from the beginnings of windows of the request's data, spread over all of
/// it, at temperature 1, until share or time is reached, and writes what comes to `file`: token
/// ids, each row with its task. A file that the same model wrote to the same data, under the same
/// options, stands.
/// @throws Error UsageInvalid for a share or time out of range; FileExists if the file is something
/// else; as read_calibration_windows();
/// Cancelled
void write_own_text(const CalibrateRequest& request, const OwnTextOptions& options,
                    const std::filesystem::path& file, std::stop_token stop);

/// What write_own_text() wrote. @throws Error FileMalformed; DataLine for text of another model
struct OwnText {
    std::vector<std::vector<std::int32_t>> windows;
    std::vector<std::string> task_of_window;
};
OwnText read_own_text(const std::filesystem::path& file, const std::string& model_hash);

/// Puts the windows between those of the data, evenly, so that each half of the data has its share.
/// @throws Error DataLine for a task that the data has not
void insert_own_text(const OwnText& text, TokenWindows& windows);

/// @throws Error UsageInvalid
void validate(const OwnTextOptions& options);

/// A tenth of calibration and texts together, as a share of the calibration's time.
inline constexpr double kOwnTextTime = 1.0 / 9;

}  // namespace espalier
