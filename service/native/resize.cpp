#include "resize.h"

#include <algorithm>

#include "vector.h"

namespace dctnet {
namespace {

template <bool kBetween>
void upsample_add_row(const float* upper, const float* lower, int width, int channels,
                      float* skip) {
    const auto value = [&](int i) INLINE_LAMBDA {
        const Vector above = load(upper + i);
        if constexpr (!kBetween) return above;
        return above + (load(lower + i) - above) * 0.5f;
    };
    for (int x = 0; x < width; ++x, skip += 2 * channels) {
        const int next = (std::min(x + 1, width - 1) - x) * channels;
        for (int c = 0; c < channels; c += kWidth) {
            const int i = x * channels + c;
            const Vector left = value(i), right = value(i + next);
            store(skip + c, left + load(skip + c));
            store(skip + channels + c,
                  left + (right - left) * 0.5f + load(skip + channels + c));
        }
    }
}

}  // namespace

void upsample_add(const FeatureMap& low, const FeatureMap& skip, int y) {
    const float* upper = low.row(y / 2);
    const float* lower = low.row(std::min(y / 2 + 1, low.height() - 1));
    const auto row = y % 2 ? upsample_add_row<true> : upsample_add_row<false>;
    row(upper, lower, low.width(), low.channels(), skip.row(y));
}

}  // namespace dctnet
