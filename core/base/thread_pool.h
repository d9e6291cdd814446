#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace espalier {

/// Workers for parallel_for. The caller takes part, so a pool of one has no thread of its own.
/// Not reentrant: a body must not call parallel_for on the same pool.
class ThreadPool {
public:
    /// @param num_threads 0: one per physical core.
    explicit ThreadPool(std::size_t num_threads = 0);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    std::size_t num_threads() const noexcept;

    /// Calls body(begin, end) for consecutive pieces of [0, count) of `chunk` items (the last may
    /// be shorter), in any order, and returns when all are done. Pieces depend on `chunk` alone,
    /// never on the number of threads, so results do not either. The first exception is rethrown
    /// here.
    void parallel_for(std::size_t count, std::size_t chunk,
                      const std::function<void(std::size_t begin, std::size_t end)>& body);

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Cores without hyper-threads, at least 1.
std::size_t num_physical_cores();

}  // namespace espalier
