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

struct Nothing {
    INLINE void operator()(int) const {}
};

// sums[row][o] += Σ values[row · kStride + k] · weights[k][o], over k < kCount and o in the panel.
// Advances `weights` past the values read. Calls `beside` with each k, as a constant in short runs.
template <int kStride, int kCount, class Beside = Nothing>
INLINE void accumulate(const float* values, const float*& weights, Sums& sums,
                       const Beside& beside = {}) {
    const auto step = [&](auto k) INLINE_LAMBDA {
        beside(k);
        // The next step loads its values again: clang would keep those that rows share, and spill.
        asm volatile("" ::: "memory");
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

// Reorders [terms][outputs] to [panel][terms][kPanel]: the order in which panels use weights.
inline void pack_panels(const float* weights, int terms, int outputs, float* panels) {
    for (int panel = 0; panel < outputs; panel += kPanel)
        for (int term = 0; term < terms; ++term, panels += kPanel)
            std::copy_n(weights + term * outputs + panel, kPanel, panels);
}

}  // namespace dctnet
