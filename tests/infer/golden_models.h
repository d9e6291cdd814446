#pragma once

#include <QTemporaryDir>
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "formats/safetensors_reader.h"
#include "infer/native_model.h"
#include "model/forward_observer.h"
#include "model/model_source.h"

namespace espalier {

inline const std::filesystem::path kGolden = ESPALIER_TEST_DATA;

template <typename T>
std::vector<T> tensor_values(const SafetensorsFile& file, const std::string& name) {
    const TensorView* view = file.find(name);
    if (view == nullptr) return {};
    std::vector<T> values(view->bytes.size() / sizeof(T));
    std::memcpy(values.data(), view->bytes.data(), view->bytes.size());
    return values;
}

inline std::vector<std::int32_t> ids_of(const Json& list) {
    return list.get<std::vector<std::int32_t>>();
}

/// Rows of `input_ids` [B, T].
inline std::vector<std::vector<std::int32_t>> input_rows(const SafetensorsFile& golden) {
    const auto ids = tensor_values<std::int64_t>(golden, "input_ids");
    const auto length = static_cast<std::size_t>(golden.find("input_ids")->shape.at(1));
    std::vector<std::vector<std::int32_t>> rows;
    for (std::size_t i = 0; i < ids.size(); i += length) {
        rows.emplace_back(ids.begin() + static_cast<std::ptrdiff_t>(i),
                          ids.begin() + static_cast<std::ptrdiff_t>(i + length));
    }
    return rows;
}

/// Collects everything under the names of golden.safetensors.
class Recorder : public ForwardObserver {
public:
    void on_activation(Activation what, std::int64_t index, std::span<const float> rows) override {
        append(values[name_of(what, index)], rows);
    }
    void on_routing(std::int64_t layer, const RoutingView& routing) override {
        const std::string suffix = "." + std::to_string(layer);
        append(values["router_logits" + suffix], routing.logits);
        append(values["router_topk_weights" + suffix], routing.weights);
        auto& ids = selected["router_topk_indices" + suffix];
        ids.insert(ids.end(), routing.selected.begin(), routing.selected.end());
    }

    std::map<std::string, std::vector<float>> values;
    std::map<std::string, std::vector<std::int64_t>> selected;

private:
    static std::string name_of(Activation what, std::int64_t index) {
        const std::string suffix = "." + std::to_string(index);
        switch (what) {
            case Activation::HiddenStates:
                return "hidden_states" + suffix;
            case Activation::AttentionOutput:
                return "attn_out" + suffix;
            case Activation::FeedForwardOutput:
                return "mlp_out" + suffix;
            case Activation::FinalNorm:
                return "final_norm";
            case Activation::Logits:
                break;
        }
        return "logits";
    }
    static void append(std::vector<float>& to, std::span<const float> from) {
        to.insert(to.end(), from.begin(), from.end());
    }
};

/// The model of a golden case, under either spelling of its config.
class GoldenCase {
public:
    GoldenCase(const std::string& name, const std::string& config_file) {
        folder_ = kGolden / "models" / name;
        if (config_file != "config.json") folder_ = with_config(config_file);
        source_ = ModelSource::open(folder_);
        golden_ =
            std::make_unique<SafetensorsFile>(kGolden / "models" / name / "golden.safetensors");
        tolerances_ =
            read_json_file(kGolden / "models/cases.json")[name]["suggested_abs_tolerance"];
        greedy_ = read_json_file(kGolden / "models" / name / "greedy_ids.json");
    }

    const ModelSource& source() const { return *source_; }
    const SafetensorsFile& golden() const { return *golden_; }
    const Json& greedy() const { return greedy_; }
    double tolerance(const std::string& tensor) const {
        for (const auto* name : {"logits", "router_logits", "router_topk_weights"}) {
            if (tensor.starts_with(name)) return tolerances_[name].get<double>();
        }
        const auto* hidden = tolerances_.contains("hidden") ? "hidden" : "hidden_states";
        return tolerances_[hidden].get<double>();
    }

private:
    std::filesystem::path with_config(const std::string& config_file) {
        const std::filesystem::path copy = temporary_.path().toStdString();
        for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
            if (entry.path().filename() == "config.json") continue;
            std::filesystem::copy_file(entry.path(), copy / entry.path().filename());
        }
        std::filesystem::copy_file(folder_ / config_file, copy / "config.json");
        return copy;
    }

    QTemporaryDir temporary_;
    std::filesystem::path folder_;
    std::unique_ptr<ModelSource> source_;
    std::unique_ptr<SafetensorsFile> golden_;
    Json tolerances_;
    Json greedy_;
};

inline std::int32_t argmax(std::span<const float> logits) {
    return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) -
                                     logits.begin());
}

inline std::vector<float> all_logits(NativeModel& model, std::span<const std::int32_t> tokens) {
    KvCache cache(model.config());
    const auto logits = model.forward(tokens, cache, LogitsFor::AllTokens);
    return {logits.begin(), logits.end()};
}

inline std::vector<std::int32_t> greedy(NativeModel& model, const std::vector<std::int32_t>& prompt,
                                        std::size_t count) {
    KvCache cache(model.config());
    std::vector<std::int32_t> ids;
    std::int32_t next = argmax(model.forward(prompt, cache));
    for (;;) {
        ids.push_back(next);
        if (ids.size() == count) return ids;
        next = argmax(model.forward({&next, 1}, cache));
    }
}

inline double largest_difference(std::span<const float> a, std::span<const float> b) {
    if (a.size() != b.size()) return 1e30;
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
        largest = difference <= largest ? largest : difference;  // NaN counts as large
    }
    return largest;
}

}  // namespace espalier
