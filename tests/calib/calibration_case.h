#pragma once

#include <QTemporaryDir>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/file_hash.h"
#include "base/rng.h"
#include "calib/calibrate.h"
#include "support/synthetic_model.h"

/// What tests of calibrations share.
namespace calibration {

inline void write_ids(const std::filesystem::path& path,
                      const std::vector<std::vector<std::int32_t>>& rows) {
    espalier::write_file(path, espalier::Json(rows).dump());
}

/// Random windows of `length` tokens, as many as asked for: several micro-batches.
inline std::vector<std::vector<std::int32_t>> random_rows(std::size_t count, std::size_t length,
                                                          std::uint64_t vocab) {
    espalier::Rng rng(7);
    std::vector<std::vector<std::int32_t>> rows(count, std::vector<std::int32_t>(length));
    for (auto& row : rows) {
        for (auto& id : row) id = static_cast<std::int32_t>(rng.below(vocab));
    }
    return rows;
}

/// A model of three layers and data of several micro-batches, in a folder of its own.
struct Case {
    QTemporaryDir folder;
    espalier::CalibrateRequest request;

    Case() {
        const std::filesystem::path path = folder.path().toStdString();
        espalier::test::SyntheticModel shape;
        shape.num_layers = 3;
        espalier::test::write_synthetic_model(shape, path / "model");
        write_ids(path / "ids.json", random_rows(30, 400, 128));
        request.model = path / "model";
        request.ids = path / "ids.json";
        request.out = path / "stats.safetensors";
        request.context = 400;
        request.stats = "all";
    }
    std::filesystem::path file(const char* name) const {
        return std::filesystem::path(folder.path().toStdString()) / name;
    }
};

inline std::string hash_of_result(const std::filesystem::path& stats) {
    const std::filesystem::path vectors =
        stats.parent_path() / (stats.stem().string() + ".vectors.safetensors");
    const std::filesystem::path contexts =
        stats.parent_path() / (stats.stem().string() + ".contexts.json");
    return espalier::sha256_of_file(stats) + espalier::sha256_of_file(vectors) +
           espalier::sha256_of_file(contexts);
}

inline bool is_close(double a, double b, double relative) {
    return std::abs(a - b) <= relative * std::max(std::abs(a), std::abs(b));
}

inline bool are_close(const std::vector<double>& a, const std::vector<double>& b, double relative) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [&](double x, double y) { return is_close(x, y, relative); });
}

}  // namespace calibration
