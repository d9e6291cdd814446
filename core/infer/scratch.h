#pragma once

#include <cstddef>
#include <span>

#include "tensor/buffer.h"

namespace espalier {

/// Memory that is used again and again and only ever grows. Contents do not survive take().
template <typename T>
class Scratch {
public:
    std::span<T> take(std::size_t count) {
        if (buffer_.size() < count) {
            buffer_ = {};  // first, so that old and new never exist together
            buffer_ = Buffer<T>(count);
        }
        return buffer_.span().first(count);
    }

    std::span<T> first(std::size_t count) noexcept { return buffer_.span().first(count); }
    std::span<const T> first(std::size_t count) const noexcept {
        return buffer_.span().first(count);
    }

private:
    Buffer<T> buffer_;
};

}  // namespace espalier
