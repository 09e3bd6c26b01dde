// Thread team of one call.
#pragma once

#include <atomic>
#include <barrier>
#include <system_error>
#include <thread>
#include <vector>

namespace dctnet {

// Threads that run the same steps and share the items of each step. Items do not depend on the
// number of threads, and so neither does the result.
class Team {
  public:
    explicit Team(int threads) : threads_(threads), barrier_(threads, Rewind{&next_}) {}

    // Calls body(member) on each thread; member 0 is the caller. If the system has no more threads,
    // fewer do the work.
    template <class Body>
    void run(const Body& body) {
        std::vector<std::thread> others;
        others.reserve(threads_ - 1);
        for (int member = 1; member < threads_; ++member) {
            try {
                others.emplace_back([&body, member] { body(member); });
            } catch (const std::system_error&) {
                (void)barrier_.arrive_and_drop();
            }
        }
        body(0);
        for (std::thread& other : others) other.join();
    }

    // In run's body: runs items 0 to count - 1 of a step, each once; returns when all are done.
    template <class Item>
    void run_items(int count, const Item& item) {
        for (int i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < count;) item(i);
        barrier_.arrive_and_wait();
    }

  private:
    struct Rewind {
        std::atomic<int>* next;
        void operator()() noexcept { next->store(0, std::memory_order_relaxed); }
    };

    int threads_;
    std::atomic<int> next_ = 0;
    std::barrier<Rewind> barrier_;
};

}  // namespace dctnet
