#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "tokenizer/model.h"
#include "tokenizer/regex.h"

namespace espalier {

/// All that one call of encode() writes to.
struct EncodeScratch {
    RegexScratch regex;
    std::unique_ptr<ModelScratch> model;
};

/// Lends scratch space to any number of threads, and keeps it warm between calls: the model's cache
/// of pieces lives in there.
class ScratchPool {
public:
    explicit ScratchPool(const TokenModel& model) : model_(model) {}

    /// Gives its scratch back when it goes.
    class Loan {
    public:
        explicit Loan(ScratchPool& pool) : pool_(pool), scratch_(pool.take()) {}
        ~Loan() { pool_.give_back(std::move(scratch_)); }
        Loan(const Loan&) = delete;
        Loan& operator=(const Loan&) = delete;
        EncodeScratch& operator*() const noexcept { return *scratch_; }

    private:
        ScratchPool& pool_;
        std::unique_ptr<EncodeScratch> scratch_;
    };

private:
    static constexpr std::size_t kMaxKept = 64;
    std::unique_ptr<EncodeScratch> take();
    void give_back(std::unique_ptr<EncodeScratch> scratch) noexcept;

    const TokenModel& model_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<EncodeScratch>> free_;
};

}  // namespace espalier
