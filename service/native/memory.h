// Aligned, uninitialized storage.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace dctnet {

// Size of a cache line and of the widest vector, in bytes.
inline constexpr std::size_t kAlignment = 64;
inline constexpr std::size_t kFloatsPerCacheLine = kAlignment / sizeof(float);

struct AlignedDelete {
    void operator()(float* data) const { ::operator delete[](data, std::align_val_t{kAlignment}); }
};
using AlignedFloats = std::unique_ptr<float[], AlignedDelete>;

// Throws std::bad_alloc.
inline AlignedFloats allocate(std::size_t count) {
    void* data = ::operator new[](count * sizeof(float), std::align_val_t{kAlignment});
    return AlignedFloats(static_cast<float*>(data));
}

constexpr std::size_t round_up(std::size_t value, std::size_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

}  // namespace dctnet
