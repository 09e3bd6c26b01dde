// Micro-kernel of all convolutions except the last: six rows of values times a panel of output
// channels, in registers.
#pragma once

#include <algorithm>
#include <cstddef>

#include "memory.h"
#include "vector.h"

namespace dctnet {

inline constexpr int kRows = 6;  // tiles or pixels at once: 6 × 2 sums fit AVX2's 16 registers
inline constexpr int kPanelVectors = kWidth == 4 ? 4 : 2;
inline constexpr int kPanel = kPanelVectors * kWidth;  // output channels at once

using Sums = Vector[kRows][kPanelVectors];

// sums[row][o] += Σ values[row · kStride + k] · weights[k][o], over k < kCount and o in the panel.
// Advances `weights` past the values read.
template <int kStride, int kCount>
INLINE void accumulate(const float* values, const float*& weights, Sums& sums) {
    const auto step = [&](int k) INLINE_LAMBDA {
        Vector panel[kPanelVectors];
        unroll<kPanelVectors>([&](auto v) INLINE_LAMBDA {
            panel[v] = load(weights + k * kPanel + v * kWidth);
        });
        unroll<kRows>([&](auto row) INLINE_LAMBDA {
            const Vector value = broadcast(values[row * kStride + k]);
            unroll<kPanelVectors>([&](auto v) INLINE_LAMBDA { sums[row][v] += value * panel[v]; });
        });
    };
    // Short runs are fully unrolled, which is up to 1.4 times as fast; long runs by eight.
    if constexpr (kCount <= 32) {
        unroll<kCount>(step);
    } else {
        static_assert(kCount % 8 == 0);
        for (int k = 0; k < kCount; k += 8)
            unroll<8>([&](auto i) INLINE_LAMBDA { step(k + i); });
    }
    weights += kCount * kPanel;
}

// Prefetches kCount floats for reading; an address beyond the data is harmless.
template <int kCount>
INLINE void prefetch(const float* data) {
    unroll<kCount / kFloatsPerCacheLine>([&](auto line) INLINE_LAMBDA {
        __builtin_prefetch(data + line * kFloatsPerCacheLine);
    });
}

// Reorders [terms][outputs] to [panel][terms][kPanel]: the order in which panels use weights.
inline void pack_panels(const float* weights, int terms, int outputs, float* panels) {
    for (int panel = 0; panel < outputs; panel += kPanel)
        for (int term = 0; term < terms; ++term, panels += kPanel)
            std::copy_n(weights + term * outputs + panel, kPanel, panels);
}

}  // namespace dctnet
