#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "formats/gguf_set.h"

namespace espalier {

/// Reads the keys `<architecture>.*` of a GGUF file and remembers which, so that a key nobody asked
/// for can be refused: it might change the result.
class GgufKeyReader {
public:
    /// @param files outlives the reader
    GgufKeyReader(const GgufSet& files, const std::string& architecture)
        : files_(files), prefix_(architecture + ".") {}

    const GgufSet& files() const noexcept { return files_; }

    std::int64_t integer(std::string_view key) { return keys().integer(full(key)); }
    std::int64_t integer_or(std::string_view key, std::int64_t fallback) {
        return keys().integer_or(full(key), fallback);
    }
    double number_or(std::string_view key, double fallback);
    double number(std::string_view key);
    bool flag_or(std::string_view key, bool fallback) {
        return keys().flag_or(full(key), fallback);
    }
    std::string text_or(std::string_view key, std::string_view fallback) {
        return keys().text_or(full(key), fallback);
    }
    bool has(std::string_view key) const { return keys().find(prefix_ + std::string(key)); }
    /// One for each of `count` layers; empty if absent or a single value.
    /// @throws Error FileMalformed for an array of another kind or length
    std::vector<bool> flags(std::string_view key, std::size_t count);
    std::vector<std::int64_t> integers(std::string_view key, std::size_t count);

    /// True if any layer has the tensor `blk.N.<name>`.
    bool has_tensor(std::string_view name) const;

    /// Throws ArchUnknown if the key is there and is none of these: the architecture has the switch
    /// wired to one position. 0 stands for "not set".
    void require_wired(std::string_view key, std::int64_t expected);
    void require_wired(std::string_view key, bool expected);

    /// @throws Error ArchUnknown for a key that was neither read nor changes anything
    void refuse_unread() const;

    Error unknown(std::string_view what) const;
    [[noreturn]] void refuse(std::string_view key, std::string_view value) const;

private:
    const GgufMetadata& keys() const { return files_.metadata(); }
    std::string full(std::string_view key) {
        return *read_.insert(prefix_ + std::string(key)).first;
    }

    const GgufSet& files_;
    std::string prefix_;
    std::set<std::string, std::less<>> read_;
};

}  // namespace espalier
