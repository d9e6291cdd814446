#pragma once

#include <cstdint>
#include <filesystem>

#include "base/json.h"
#include "calib/hidden_states_file.h"
#include "routing/expert_stats.h"

namespace espalier {

/// The folder that makes a calibration resumable: who it belongs to, the statistics of each
/// finished layer, and the hidden states that the next layer starts from. Killing the process at
/// any moment loses at most the layer that was going on. Held under an exclusive lock.
class CalibrationCheckpoint {
public:
    /// Opens or creates the folder. What another request left there is thrown away.
    /// @param identity all that decides the result; a checkpoint is only taken up by the same
    /// @throws Error RunLocked if another process works in it
    CalibrationCheckpoint(std::filesystem::path folder, const Json& identity,
                          const HiddenStatesLayout& layout);
    ~CalibrationCheckpoint();
    CalibrationCheckpoint(const CalibrationCheckpoint&) = delete;
    CalibrationCheckpoint& operator=(const CalibrationCheckpoint&) = delete;

    /// The first layer that is not done; -1 if not even the embedding is.
    std::int64_t next_layer() const noexcept { return next_layer_; }

    HiddenStatesFile open_hidden(std::int64_t layer) const;
    /// The input of `layer`, to be written.
    HiddenStatesFile create_hidden(std::int64_t layer) const;
    /// Makes `hidden`, written whole, the input of `layer`, the next one to do.
    void advance(std::int64_t layer, HiddenStatesFile hidden);

    void save_layer(std::int64_t layer, const ExpertStats& stats) const;
    ExpertStats load_layer(std::int64_t layer) const;

    /// Writes the result inside the folder, gives both of its files their final names, and removes
    /// the folder. `out` must lie on the same file system.
    void finish(const ExpertStats& stats, const std::filesystem::path& out);

private:
    void take_lock();
    void clear() const;
    std::int64_t find_next_layer() const;
    std::filesystem::path hidden_path(std::int64_t layer) const;
    std::filesystem::path layer_path(std::int64_t layer) const;

    std::filesystem::path folder_;
    HiddenStatesLayout layout_;
    int lock_fd_ = -1;
    std::int64_t next_layer_ = -1;
};

}  // namespace espalier
