// The threads of one call.
#pragma once

#include <atomic>
#include <barrier>
#include <system_error>
#include <thread>
#include <vector>

namespace dctnet {

// Threads that go through the same steps together and share the work of each step. What a work item
// is never depends on how many they are, so the answer does not either.
class Team {
  public:
    explicit Team(int threads) : threads_(threads), barrier_(threads, Rewind{&next_}) {}

    // Calls body(member) on each thread, member 0 being the caller's. Where the system gives no
    // more threads, fewer do the work.
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

    // In run's body: does items 0 to count - 1 of a step, each once, and returns when all are done.
    template <class Item>
    void share(int count, const Item& item) {
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
