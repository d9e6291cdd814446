#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace espalier {

/// 64-bit keys to 64-bit values in one array, half empty: a look-up is one or two cache lines.
class FlatMap {
public:
    explicit FlatMap(std::size_t expected = 0) : slots_(std::bit_ceil(expected * 2 + 2)) {}

    void insert_or_assign(std::uint64_t key, std::uint64_t value) {
        if ((size_ + 1) * 2 > slots_.size()) grow();
        Slot& slot = slots_[slot_of(key)];
        if (!slot.is_used) ++size_;
        slot = {key, value, true};
    }

    /// Valid until the next insertion; null if absent.
    const std::uint64_t* find(std::uint64_t key) const noexcept {
        const Slot& slot = slots_[slot_of(key)];
        return slot.is_used ? &slot.value : nullptr;
    }

    std::size_t size() const noexcept { return size_; }

private:
    struct Slot {
        std::uint64_t key = 0;
        std::uint64_t value = 0;
        bool is_used = false;
    };

    /// Of `key`, or the free one where it would go.
    std::size_t slot_of(std::uint64_t key) const noexcept {
        const std::size_t mask = slots_.size() - 1;
        std::uint64_t mixed = (key ^ (key >> 32U)) * 0x9E3779B97F4A7C15U;
        mixed ^= mixed >> 32U;
        std::size_t i = static_cast<std::size_t>(mixed) & mask;
        while (slots_[i].is_used && slots_[i].key != key) i = (i + 1) & mask;
        return i;
    }

    void grow() {
        std::vector<Slot> old(slots_.size() * 2);
        old.swap(slots_);
        for (const Slot& slot : old) {
            if (slot.is_used) slots_[slot_of(slot.key)] = slot;
        }
    }

    std::vector<Slot> slots_;
    std::size_t size_ = 0;
};

}  // namespace espalier
