// Aligned storage that is left as the allocator gives it.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace dctnet {

// A cache line, and the widest vector.
inline constexpr std::size_t kAlignment = 64;
inline constexpr std::size_t kFloatsALine = kAlignment / sizeof(float);

struct AlignedDelete {
    void operator()(float* data) const { ::operator delete[](data, std::align_val_t{kAlignment}); }
};
using Floats = std::unique_ptr<float[], AlignedDelete>;

// Throws std::bad_alloc.
inline Floats allocate(std::size_t count) {
    void* data = ::operator new[](count * sizeof(float), std::align_val_t{kAlignment});
    return Floats(static_cast<float*>(data));
}

constexpr std::size_t round_up(std::size_t value, std::size_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

}  // namespace dctnet
