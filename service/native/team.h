// Thread team of one call.
#pragma once

#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

namespace dctnet {

// Hint that the thread waits in a loop.
inline void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// Threads that run the same steps and share the items of each step. Their values do not
// depend on the number of threads.
class Team {
  public:
    explicit Team(int threads) : threads_(threads) {}

    // Calls body(member) on each thread; member 0 is the caller. If the system has no more threads,
    // fewer do the work.
    template <class Body>
    void run(const Body& body) {
        std::vector<std::thread> others;
        others.reserve(threads_ - 1);
        for (int member = 1; member < threads_; ++member) {
            try {
                others.emplace_back([this, &body, member] {
                    await(0);
                    body(member);
                });
            } catch (const std::system_error&) {
                break;
            }
        }
        threads_ = static_cast<int>(others.size()) + 1;
        begin_step();
        body(0);
        for (std::thread& other : others) other.join();
    }

    // In run's body: runs items 0 to count - 1 of a step, each once; returns when all are done.
    template <class Item>
    void run_items(int count, const Item& item) {
        for (int i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < count;) item(i);
        const int step = step_.load(std::memory_order_relaxed);
        if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_)
            begin_step();
        else
            await(step);
    }

  private:
    // Steps take down to tens of microseconds: sleeping and waking would take as long.
    static constexpr int kSpins = 1000;

    void begin_step() {
        next_.store(0, std::memory_order_relaxed);
        done_.store(0, std::memory_order_relaxed);
        step_.fetch_add(1, std::memory_order_release);
        step_.notify_all();
    }

    // Waits for the end of a step.
    void await(int step) const {
        for (int i = 0; i < kSpins; ++i, relax())
            if (step_.load(std::memory_order_acquire) != step) return;
        step_.wait(step, std::memory_order_acquire);
    }

    int threads_;
    std::atomic<int> next_ = 0;  // item
    std::atomic<int> done_ = 0;  // threads
    std::atomic<int> step_ = 0;
};

}  // namespace dctnet
