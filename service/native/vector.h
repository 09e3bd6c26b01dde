// float32 vectors by the compiler's vector extensions: one source for any width.
#pragma once

#include <cstddef>
#include <iterator>
#include <type_traits>
#include <utility>

#define INLINE inline __attribute__((always_inline))
#define INLINE_LAMBDA __attribute__((always_inline))

namespace dctnet {

// Floats per vector register.
#if defined(DCTNET_VECTOR_WIDTH)
inline constexpr int kWidth = DCTNET_VECTOR_WIDTH;
#elif defined(__AVX512F__)
inline constexpr int kWidth = 16;
#elif defined(__AVX__)
inline constexpr int kWidth = 8;
#else
inline constexpr int kWidth = 4;
#endif

using Vector = float __attribute__((vector_size(kWidth * sizeof(float))));
using UnalignedVector = float
    __attribute__((vector_size(kWidth * sizeof(float)), aligned(sizeof(float)), may_alias));

INLINE Vector load(const float* source) {
    return *reinterpret_cast<const UnalignedVector*>(source);
}

INLINE void store(float* target, Vector value) {
    *reinterpret_cast<UnalignedVector*>(target) = value;
}

// Broadcasts `value` to all lanes (x - 0 is x, also for -0, so the compiler drops the subtraction).
INLINE Vector broadcast(float value) { return value - Vector{}; }

// Calls `body` with the constants 0 to kCount - 1, so that indexed arrays stay in registers.
template <int kCount, class Body>
INLINE void unroll(const Body& body) {
    [&]<int... kIndex>(std::integer_sequence<int, kIndex...>) INLINE_LAMBDA {
        (body(std::integral_constant<int, kIndex>{}), ...);
    }(std::make_integer_sequence<int, kCount>{});
}

// TensorFlow's LeakyRelu with the graph's alpha.
INLINE Vector leaky_relu(Vector value) {
    const Vector scaled = value * 0.2f;
    return value > scaled ? value : scaled;
}

// Sum of the lanes, by repeated halving.
INLINE float sum(Vector value) {
    const auto fold = [&]<int... kLane>(std::integer_sequence<int, kLane...>,
                                        auto half) INLINE_LAMBDA {
        value += __builtin_shufflevector(value, value, ((kLane + half) % kWidth)...);
    };
    constexpr std::make_integer_sequence<int, kWidth> kLanes;
    if constexpr (kWidth >= 16) fold(kLanes, std::integral_constant<int, 8>{});
    if constexpr (kWidth >= 8) fold(kLanes, std::integral_constant<int, 4>{});
    fold(kLanes, std::integral_constant<int, 2>{});
    fold(kLanes, std::integral_constant<int, 1>{});
    return value[0];
}

}  // namespace dctnet
