#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <fstream>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace espalier {
namespace {

/// How long an idle worker looks for work before it sleeps: decoding a token issues a hundred small
/// loops with microseconds between them, and a wake-up through the kernel costs as much as one.
constexpr int kSpinRounds = 2000;

struct Job {
    std::size_t count = 0;
    std::size_t chunk = 1;
    const std::function<void(std::size_t, std::size_t)>* body = nullptr;
    std::atomic<std::size_t> next{0};
};

}  // namespace

struct ThreadPool::State {
    Job job;
    std::atomic<std::uint64_t> generation{0};
    std::atomic<bool> open{false};       ///< the job may be joined
    std::atomic<std::size_t> inside{0};  ///< workers that may be touching the job
    std::atomic<bool> stopping{false};
    std::mutex mutex;  // guards error and the sleep of workers
    std::condition_variable wake;
    std::exception_ptr error;
    std::vector<std::jthread> workers;

    void run_chunks() {
        try {
            for (;;) {
                const std::size_t begin = job.next.fetch_add(job.chunk);
                if (begin >= job.count) return;
                (*job.body)(begin, std::min(begin + job.chunk, job.count));
            }
        } catch (...) {
            job.next = job.count;  // nobody starts another piece
            const std::scoped_lock lock(mutex);
            if (!error) error = std::current_exception();
        }
    }

    void wait_for_work(std::uint64_t seen) {
        for (int i = 0; i < kSpinRounds; ++i) {
            if (generation.load(std::memory_order_acquire) != seen || stopping) return;
            std::this_thread::yield();
        }
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return generation.load() != seen || stopping; });
    }

    void work() {
        std::uint64_t seen = 0;
        for (;;) {
            wait_for_work(seen);
            if (stopping) return;
            seen = generation.load(std::memory_order_acquire);
            // Whoever wakes too late finds the job closed: nobody waits for a worker that the
            // system has not let run yet.
            ++inside;
            if (open) run_chunks();
            --inside;
        }
    }
};

ThreadPool::ThreadPool(std::size_t num_threads) : state_(std::make_unique<State>()) {
    if (num_threads == 0) num_threads = num_physical_cores();
    for (std::size_t i = 1; i < num_threads; ++i) {
        state_->workers.emplace_back([state = state_.get()] { state->work(); });
    }
}

ThreadPool::~ThreadPool() {
    {
        const std::scoped_lock lock(state_->mutex);
        state_->stopping = true;
    }
    state_->wake.notify_all();
    state_->workers.clear();
}

std::size_t ThreadPool::num_threads() const noexcept { return state_->workers.size() + 1; }

void ThreadPool::parallel_for(std::size_t count, std::size_t chunk,
                              const std::function<void(std::size_t, std::size_t)>& body) {
    if (count == 0) return;
    State& state = *state_;
    state.job.count = count;
    state.job.chunk = std::max<std::size_t>(chunk, 1);
    state.job.body = &body;
    state.job.next = 0;
    const bool shared = !state.workers.empty() && count > state.job.chunk;
    if (shared) {
        state.open = true;
        {
            const std::scoped_lock lock(state.mutex);
            state.generation.fetch_add(1, std::memory_order_release);
        }
        state.wake.notify_all();
    }
    state.run_chunks();
    state.open = false;
    while (state.inside != 0) std::this_thread::yield();
    if (state.error) std::rethrow_exception(std::exchange(state.error, nullptr));
}

std::size_t num_physical_cores() {
    std::set<std::string> cores;
    for (unsigned cpu = 0; cpu < std::thread::hardware_concurrency(); ++cpu) {
        std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                           "/topology/thread_siblings_list");
        std::string siblings;
        if (std::getline(file, siblings)) cores.insert(siblings);
    }
    return cores.empty() ? std::max(1U, std::thread::hardware_concurrency()) : cores.size();
}

}  // namespace espalier
