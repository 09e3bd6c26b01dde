// Common code of the 7×7 layers, the first and the last: Winograd's F(4, 7) along the height.
#pragma once

#include <algorithm>

#include "feature_map.h"
#include "vector.h"
#include "winograd.h"

namespace dctnet {

using SevenTapWinograd = Winograd<4, 7>;

// A work item: four output rows, kSegment pixels wide, or less at the right border.
template <class Conv, int kSegment>
struct Strip {
    static constexpr int kPoints = SevenTapWinograd::kPoints;

    int height, pixels;                          // of the output, within the image
    const float* rows[kPoints];                  // of the input, from three pixels to the left
    float* targets[SevenTapWinograd::kOutputs];  // rows of the output

    static int items(const FeatureMap& output, int from, int to) {
        return (to - from) * segments(output);
    }

    // Creates the strip of an item; `from` is the first tile row.
    Strip(const FeatureMap& input, const FeatureMap& output, int from, int item) {
        const int top = (from + item / segments(output)) * SevenTapWinograd::kOutputs;
        const int left = item % segments(output) * kSegment;
        height = std::min(output.height() - top, SevenTapWinograd::kOutputs);
        pixels = std::min(output.width() - left, kSegment);
        for (int i = 0; i < kPoints; ++i)
            rows[i] = input.padded_row(top - 3 + i) + (left - 3) * Conv::kInputs;
        for (int i = 0; i < height; ++i) targets[i] = output.row(top + i) + left * Conv::kOutputs;
    }

    // transformed[point] = Bᵀ rows, for at least `count` floats; a point takes kFloats.
    template <int kFloats>
    INLINE void transform(int count, float* transformed) const {
        for (int i = 0; i < count; i += kWidth) {
            Vector inputs[kPoints], points[kPoints];
            unroll<kPoints>([&](auto y) INLINE_LAMBDA { inputs[y] = load(rows[y] + i); });
            SevenTapWinograd::input(inputs, points);
            unroll<kPoints>([&](auto p) INLINE_LAMBDA {
                store(transformed + p * kFloats + i, points[p]);
            });
        }
    }

  private:
    static int segments(const FeatureMap& output) {
        return (output.width() + kSegment - 1) / kSegment;
    }
};

}  // namespace dctnet
