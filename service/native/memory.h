// Aligned, uninitialized storage.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

namespace dctnet {

// Size of a cache line and of the widest vector, in bytes.
inline constexpr std::size_t kAlignment = 64;
inline constexpr std::size_t kFloatsPerCacheLine = kAlignment / sizeof(float);

struct Free {
    void operator()(float* data) const { std::free(data); }
};
using AlignedFloats = std::unique_ptr<float[], Free>;

constexpr std::size_t round_up(std::size_t value, std::size_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

// From this size on, memory is in huge pages where the system has them: the first access to each
// page takes longer than a pass over it.
inline constexpr std::size_t kHugePage = std::size_t{2} << 20, kHugeFrom = 8 * kHugePage;

// Throws std::bad_alloc.
inline AlignedFloats allocate(std::size_t count) {
    const std::size_t alignment = count * sizeof(float) < kHugeFrom ? kAlignment : kHugePage;
    const std::size_t bytes = round_up(count * sizeof(float), alignment);
    void* data = std::aligned_alloc(alignment, bytes);
    if (data == nullptr) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
    if (alignment == kHugePage) madvise(data, bytes, MADV_HUGEPAGE);
#endif
    return AlignedFloats(static_cast<float*>(data));
}

}  // namespace dctnet
