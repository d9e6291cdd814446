#include "tensor/dtype.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace espalier {
namespace {

// In the order of DType.
constexpr std::array<DTypeInfo, kNumDTypes> kInfo{{
    {"BOOL", 1, 1, {}, "BOOL"},       {"U8", 1, 1, {}, "U8"},
    {"I8", 1, 1, 24, "I8"},           {"F8_E5M2", 1, 1, {}, "F8_E5M2"},
    {"F8_E4M3", 1, 1, {}, "F8_E4M3"}, {"F8_E8M0", 1, 1, {}, "F8_E8M0"},
    {"I16", 1, 2, 25, "I16"},         {"U16", 1, 2, {}, "U16"},
    {"F16", 1, 2, 1, "F16"},          {"BF16", 1, 2, 30, "BF16"},
    {"I32", 1, 4, 26, "I32"},         {"U32", 1, 4, {}, "U32"},
    {"F32", 1, 4, 0, "F32"},          {"I64", 1, 8, 27, "I64"},
    {"U64", 1, 8, {}, "U64"},         {"F64", 1, 8, 28, "F64"},
    {"Q4_0", 32, 18, 2, ""},          {"Q4_1", 32, 20, 3, ""},
    {"Q5_0", 32, 22, 6, ""},          {"Q5_1", 32, 24, 7, ""},
    {"Q8_0", 32, 34, 8, ""},          {"Q2_K", 256, 84, 10, ""},
    {"Q3_K", 256, 110, 11, ""},       {"Q4_K", 256, 144, 12, ""},
    {"Q5_K", 256, 176, 13, ""},       {"Q6_K", 256, 210, 14, ""},
    {"IQ2_XXS", 256, 66, 16, ""},     {"IQ2_XS", 256, 74, 17, ""},
    {"IQ3_XXS", 256, 98, 18, ""},     {"IQ1_S", 256, 50, 19, ""},
    {"IQ4_NL", 32, 18, 20, ""},       {"IQ3_S", 256, 110, 21, ""},
    {"IQ2_S", 256, 82, 22, ""},       {"IQ4_XS", 256, 136, 23, ""},
    {"IQ1_M", 256, 56, 29, ""},       {"TQ1_0", 256, 54, 34, ""},
    {"TQ2_0", 256, 66, 35, ""},       {"MXFP4", 32, 17, 39, ""},
    {"NVFP4", 64, 36, 40, ""},        {"Q1_0", 128, 18, 41, ""},
    {"Q2_0", 64, 18, 42, ""},
}};

template <typename Predicate>
std::optional<DType> find_dtype(Predicate&& matches) noexcept {
    const auto found = std::find_if(kInfo.begin(), kInfo.end(), matches);
    if (found == kInfo.end()) return std::nullopt;
    return static_cast<DType>(found - kInfo.begin());
}

}  // namespace

const DTypeInfo& info(DType dtype) noexcept { return kInfo[static_cast<std::size_t>(dtype)]; }

std::optional<DType> dtype_from_ggml(std::uint32_t ggml_type) noexcept {
    return find_dtype([&](const DTypeInfo& row) { return row.ggml_type == ggml_type; });
}

std::optional<DType> dtype_from_safetensors(std::string_view name) noexcept {
    return find_dtype([&](const DTypeInfo& row) {
        return !row.safetensors_name.empty() && row.safetensors_name == name;
    });
}

std::optional<DType> dtype_from_name(std::string_view name) noexcept {
    return find_dtype([&](const DTypeInfo& row) {
        return std::equal(row.name.begin(), row.name.end(), name.begin(), name.end(),
                          [](unsigned char a, unsigned char b) { return a == std::toupper(b); });
    });
}

bool is_float(DType dtype) noexcept {
    switch (dtype) {
        case DType::F8E5M2:
        case DType::F8E4M3:
        case DType::F16:
        case DType::BF16:
        case DType::F32:
        case DType::F64:
            return true;
        default:
            return false;
    }
}

bool is_block(DType dtype) noexcept { return info(dtype).block_size > 1; }

}  // namespace espalier
