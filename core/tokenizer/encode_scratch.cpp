#include "tokenizer/encode_scratch.h"

#include <utility>

namespace espalier {

std::unique_ptr<EncodeScratch> ScratchPool::take() {
    {
        const std::scoped_lock lock(mutex_);
        if (!free_.empty()) {
            auto scratch = std::move(free_.back());
            free_.pop_back();
            return scratch;
        }
        free_.reserve(kMaxKept);  // so that giving back cannot fail
    }
    auto scratch = std::make_unique<EncodeScratch>();
    scratch->model = model_.make_scratch();
    return scratch;
}

void ScratchPool::give_back(std::unique_ptr<EncodeScratch> scratch) noexcept {
    const std::scoped_lock lock(mutex_);
    if (free_.size() < kMaxKept) free_.push_back(std::move(scratch));
}

}  // namespace espalier
