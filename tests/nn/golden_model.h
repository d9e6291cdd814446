#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/json.h"
#include "formats/safetensors_reader.h"

/// A case of tests/golden/models: a checkpoint and what the reference implementation computes from
/// it.
namespace golden_model {

inline std::filesystem::path folder(const std::string& name) {
    return std::filesystem::path(ESPALIER_TEST_DATA) / "models" / name;
}

template <typename T>
std::vector<T> read(const espalier::SafetensorsFile& file, const std::string& name) {
    const espalier::TensorView* view = file.find(name);
    if (view == nullptr) throw std::runtime_error("no tensor " + name);
    std::vector<T> values(view->bytes.size() / sizeof(T));
    std::memcpy(values.data(), view->bytes.data(), view->bytes.size());
    return values;
}

inline std::vector<float> floats(const espalier::SafetensorsFile& file, const std::string& name) {
    return read<float>(file, name);
}

inline std::vector<std::int64_t> integers(const espalier::SafetensorsFile& file,
                                          const std::string& name) {
    return read<std::int64_t>(file, name);
}

/// `input_ids`, row by row.
inline std::vector<std::vector<std::int32_t>> rows_of_ids(const espalier::SafetensorsFile& file) {
    const espalier::TensorView* view = file.find("input_ids");
    if (view == nullptr) throw std::runtime_error("no input_ids");
    const std::vector<std::int64_t> ids = integers(file, "input_ids");
    const auto length = view->shape[1];
    std::vector<std::vector<std::int32_t>> rows;
    for (auto row = ids.begin(); row != ids.end(); row += length)
        rows.emplace_back(row, row + length);
    return rows;
}

/// All cases, as cases.json names them.
inline std::vector<std::string> cases() {
    const auto cases = espalier::read_json_file(folder("cases.json"));
    std::vector<std::string> names;
    for (const auto& [name, values] : cases.items()) names.push_back(name);
    return names;
}

/// The suggested absolute tolerance for `what` ("logits", "hidden", …) of cases.json.
inline double tolerance(const std::string& name, const std::string& what) {
    const auto file = folder(name).parent_path() / "cases.json";
    return espalier::read_json_file(file)
        .at(name)
        .at("suggested_abs_tolerance")
        .at(what)
        .get<double>();
}

/// The same checkpoint under the config that older hub files have.
inline void write_legacy(const std::string& name, const std::filesystem::path& to) {
    for (const auto& entry : std::filesystem::directory_iterator(folder(name))) {
        const std::string file = entry.path().filename().string();
        if (file == "config.json") continue;
        std::filesystem::copy_file(entry.path(),
                                   to / (file == "config.legacy.json" ? "config.json" : file));
    }
}

}  // namespace golden_model
