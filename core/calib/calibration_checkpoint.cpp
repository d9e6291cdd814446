#include "calib/calibration_checkpoint.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "routing/expert_stats_file.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

constexpr const char* kIdentityFile = "request.json";
constexpr const char* kLockFile = "lock";

bool is_same_request(const fs::path& file, const Json& identity) {
    if (!fs::exists(file)) return false;
    try {
        return read_json_file(file) == identity;
    } catch (const Error& error) {
        log("calib").warn("checkpoint is not readable and starts anew: {}", error.what());
        return false;
    }
}

/// So that a new name survives a power cut.
void sync_folder(const fs::path& folder) {
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    if (::fsync(fd) != 0) log("calib").warn("{} could not be synchronised", folder.string());
    ::close(fd);
}

}  // namespace

CalibrationCheckpoint::CalibrationCheckpoint(fs::path folder, const Json& identity,
                                             const HiddenStatesLayout& layout)
    : folder_(std::move(folder)), layout_(layout) {
    fs::create_directories(folder_);
    take_lock();
    if (is_same_request(folder_ / kIdentityFile, identity)) {
        next_layer_ = find_next_layer();
        return;
    }
    clear();
    write_json_file(folder_ / kIdentityFile, identity);
}

CalibrationCheckpoint::~CalibrationCheckpoint() {
    if (lock_fd_ >= 0) ::close(lock_fd_);
}

void CalibrationCheckpoint::take_lock() {
    const fs::path path = folder_ / kLockFile;
    lock_fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock_fd_ < 0) {
        throw Error(ErrorCode::DiskWrite, fmt::format("{} cannot be created.", path.string()),
                    "Check that the folder can be written.");
    }
    if (::flock(lock_fd_, LOCK_EX | LOCK_NB) == 0) return;
    // The destructor of an object that was never made does not run.
    ::close(std::exchange(lock_fd_, -1));
    throw Error(ErrorCode::RunLocked,
                fmt::format("Another calibration is writing {}.", folder_.string()),
                "Wait until it has ended, or choose another output.");
}

void CalibrationCheckpoint::clear() const {
    for (const auto& entry : fs::directory_iterator(folder_)) {
        if (entry.path().filename() != kLockFile) fs::remove_all(entry.path());
    }
}

fs::path CalibrationCheckpoint::hidden_path(std::int64_t layer) const {
    return folder_ / fmt::format("hidden.{}.bin", layer);
}

fs::path CalibrationCheckpoint::layer_path(std::int64_t layer) const {
    return folder_ / fmt::format("layer.{}.safetensors", layer);
}

std::int64_t CalibrationCheckpoint::find_next_layer() const {
    std::int64_t done = 0;
    while (fs::exists(layer_path(done))) ++done;
    // A layer is done when the hidden states after it are safe too.
    while (done >= 0 && !fs::exists(hidden_path(done))) --done;
    return done;
}

HiddenStatesFile CalibrationCheckpoint::open_hidden(std::int64_t layer) const {
    return HiddenStatesFile::open(hidden_path(layer), layout_);
}

HiddenStatesFile CalibrationCheckpoint::create_hidden(std::int64_t layer) const {
    return HiddenStatesFile::create(hidden_path(layer), layout_);
}

void CalibrationCheckpoint::advance(std::int64_t layer, HiddenStatesFile hidden) {
    hidden.commit();
    next_layer_ = layer;
    if (layer > 0) fs::remove(hidden_path(layer - 1));
}

void CalibrationCheckpoint::save_layer(std::int64_t layer, const ExpertStats& stats) const {
    save_expert_stats(stats, layer_path(layer));
}

ExpertStats CalibrationCheckpoint::load_layer(std::int64_t layer) const {
    ExpertStats stats = load_expert_stats(layer_path(layer), true);
    load_expert_contexts(layer_path(layer), stats);
    return stats;
}

void CalibrationCheckpoint::finish(const ExpertStats& stats, const fs::path& out) {
    const fs::path inside = folder_ / out.filename();
    save_expert_stats(stats, inside);
    // Statistics under their final name are complete: what stands beside them goes first, and what
    // an earlier calibration left there goes away.
    for (const auto& beside : {vectors_path, contexts_path}) {
        if (fs::exists(beside(inside))) {
            fs::rename(beside(inside), beside(out));
        } else {
            fs::remove(beside(out));
        }
    }
    fs::rename(inside, out);
    sync_folder(fs::absolute(out).parent_path());
    fs::remove_all(folder_);
    if (lock_fd_ >= 0) ::close(std::exchange(lock_fd_, -1));
}

}  // namespace espalier
