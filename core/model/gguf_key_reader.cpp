#include "model/gguf_key_reader.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fmt/format.h>
#include <variant>

#include "formats/file_error.h"

namespace espalier {
namespace {

/// Keys of an architecture (without its name) that change nothing.
constexpr std::array<std::string_view, 7> kIgnored{
    "expert_shared_count", "feed_forward_length",    "rope.dimension_sections",
    "tensor_data_layout",  "rope.scaling.finetuned", "vocab_size",
    "attention.causal",
};

/// GGUF holds floats where config.json holds decimals: the shortest decimal of 9.9999999e-07f is
/// 1e-06, which is what was meant.
double meant_decimal(double value) {
    return std::strtod(fmt::format("{}", static_cast<float>(value)).c_str(), nullptr);
}

/// The elements of any array of whole numbers or truth values.
template <typename T>
std::vector<T> elements(const GgufArray& array) {
    return std::visit(
        [](const auto& items) {
            using Item = typename std::decay_t<decltype(items)>::value_type;
            std::vector<T> result;
            if constexpr (std::is_integral_v<Item>) {
                for (const auto item : items) result.push_back(static_cast<T>(item));
            }
            return result;
        },
        array);
}

template <typename T>
std::vector<T> read_array(const GgufSet& files, const std::string& key, std::size_t count) {
    const GgufValue* value = files.metadata().find(key);
    const auto* array = value ? std::get_if<GgufArray>(value) : nullptr;
    if (!array) return {};
    std::vector<T> items = elements<T>(*array);
    if (items.size() != count) {
        throw malformed_file(files.path(),
                             fmt::format("{} does not have one whole number for each of {} layers",
                                         in_quotes(key), count));
    }
    return items;
}

}  // namespace

double GgufKeyReader::number(std::string_view key) {
    return meant_decimal(keys().number(full(key)));
}

double GgufKeyReader::number_or(std::string_view key, double fallback) {
    return has(key) ? number(key) : fallback;
}

std::vector<bool> GgufKeyReader::flags(std::string_view key, std::size_t count) {
    return read_array<bool>(files_, full(key), count);
}

std::vector<std::int64_t> GgufKeyReader::integers(std::string_view key, std::size_t count) {
    return read_array<std::int64_t>(files_, full(key), count);
}

bool GgufKeyReader::has_tensor(std::string_view name) const {
    return std::any_of(files_.tensors().begin(), files_.tensors().end(),
                       [&](const NamedTensor& tensor) {
                           const std::string_view stored = tensor.name;
                           return stored.starts_with("blk.") && stored.ends_with(name) &&
                                  stored[stored.size() - name.size() - 1] == '.';
                       });
}

void GgufKeyReader::require_wired(std::string_view key, std::int64_t expected) {
    if (!has(key)) return;
    const std::int64_t value = integer(key);
    if (value != expected && value != 0) refuse(key, std::to_string(value));
}

void GgufKeyReader::require_wired(std::string_view key, bool expected) {
    if (flag_or(key, expected) != expected) refuse(key, expected ? "false" : "true");
}

void GgufKeyReader::refuse_unread() const {
    for (const auto& [key, value] : keys().entries()) {
        if (!key.starts_with(prefix_) || read_.contains(key)) continue;
        const std::string_view rest = std::string_view(key).substr(prefix_.size());
        if (std::find(kIgnored.begin(), kIgnored.end(), rest) != kIgnored.end()) continue;
        throw unknown(
            fmt::format("the key {} is not known and might change the result", in_quotes(key)));
    }
}

Error GgufKeyReader::unknown(std::string_view what) const {
    return {ErrorCode::ArchUnknown, fmt::format("{}: {}.", files_.path().filename().string(), what),
            "Look for a newer version of Espalier, or another model."};
}

void GgufKeyReader::refuse(std::string_view key, std::string_view value) const {
    throw unknown(fmt::format("{}{} is {}, which Espalier does not know", prefix_, key, value));
}

}  // namespace espalier
