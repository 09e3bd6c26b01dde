// What the first and the last layer have in common: 7×7, by Winograd's F(4, 7) along the height.
#pragma once

#include <algorithm>

#include "feature_map.h"
#include "vector.h"
#include "winograd.h"

namespace dctnet {

using SevenTaps = Winograd<4, 7>;

// A work item: four rows of the output, kSegment pixels wide or what is left of the width.
template <class Conv, int kSegment>
struct Strip {
    static constexpr int kPoints = SevenTaps::kPoints;

    int height, pixels;                   // of the output, what lies in the image
    const float* rows[kPoints];           // the input's, from three pixels to the left on
    float* targets[SevenTaps::kOutputs];  // the output's

    static int items(const Map& output, int from, int to) { return (to - from) * segments(output); }

    // The strip of an item of the tile rows from `from` on.
    Strip(const Map& input, const Map& output, int from, int item) {
        const int top = (from + item / segments(output)) * SevenTaps::kOutputs;
        const int left = item % segments(output) * kSegment;
        height = std::min(output.height() - top, SevenTaps::kOutputs);
        pixels = std::min(output.width() - left, kSegment);
        for (int i = 0; i < kPoints; ++i)
            rows[i] = input.padded_row(top - 3 + i) + (left - 3) * Conv::kInputs;
        for (int i = 0; i < height; ++i) targets[i] = output.row(top + i) + left * Conv::kOutputs;
    }

    // transformed[point] = Bᵀ rows, of at least `count` floats each; a point takes kFloats.
    template <int kFloats>
    INLINE void transform(int count, float* transformed) const {
        for (int i = 0; i < count; i += kWidth) {
            Vector inputs[kPoints], points[kPoints];
            unroll<kPoints>([&](auto y) INLINE_LAMBDA { inputs[y] = load(rows[y] + i); });
            SevenTaps::input(inputs, points);
            unroll<kPoints>([&](auto p) INLINE_LAMBDA {
                store(transformed + p * kFloats + i, points[p]);
            });
        }
    }

  private:
    static int segments(const Map& output) { return (output.width() + kSegment - 1) / kSegment; }
};

}  // namespace dctnet
