#include "guided_filter.h"

#include <algorithm>
#include <cassert>

namespace dctnet {
namespace {

constexpr int kChannels = 3;

// Floats of a row of sums with a zero pixel on either side.
std::size_t row_floats(int width) {
    return round_up(static_cast<std::size_t>(width + 2) * kChannels, kFloatsPerCacheLine);
}

// Reciprocal of the number of pixels within the image of a box in row y, except in the first and
// last column.
float reciprocal_area(int y, int height) {
    const int rows = 1 + (y > 0) + (y + 1 < height);
    return 1.0f / static_cast<float>(3 * rows);
}

// Sums over three rows. (The compiler vectorises because of __restrict.)
void sum_moments(const float* const (&x)[3], const float* const (&t)[3], int count,
                 float* __restrict sum_x, float* __restrict sum_t, float* __restrict sum_xt,
                 float* __restrict sum_xx) {
    const float *x0 = x[0], *x1 = x[1], *x2 = x[2], *t0 = t[0], *t1 = t[1], *t2 = t[2];
    for (int i = 0; i < count; ++i) {
        sum_x[i] = x0[i] + x1[i] + x2[i];
        sum_t[i] = t0[i] + t1[i] + t2[i];
        sum_xt[i] = x0[i] * t0[i] + x1[i] * t1[i] + x2[i] * t2[i];
        sum_xx[i] = x0[i] * x0[i] + x1[i] * x1[i] + x2[i] * x2[i];
    }
}

// means[i] = (sums[i - 1 pixel] + sums[i] + sums[i + 1 pixel]) / pixels in the box
void mean_along_row(const float* sums, int count, float reciprocal, float* __restrict means) {
    for (int i = 0; i < count; ++i)
        means[i] = (sums[i - kChannels] + sums[i] + sums[i + kChannels]) * reciprocal;
    for (int i = 0; i < kChannels; ++i) {
        means[i] *= 1.5f;
        means[count - 1 - i] *= 1.5f;
    }
}

}  // namespace

std::size_t guided_scratch(int width) { return 8 * row_floats(width); }

void guided_model(const FeatureMap& guide, const FeatureMap& target, float epsilon,
                  const FeatureMap& slope,
                  const FeatureMap& offset, int y, float* scratch) {
    const int count = guide.width() * kChannels;
    const float *x[3], *t[3];
    for (int i = 0; i < 3; ++i) {
        x[i] = guide.padded_row(y - 1 + i);
        t[i] = target.padded_row(y - 1 + i);
    }
    // Sums of x, t, x·t and x² over three rows, then means over the boxes.
    float *sums[4], *means[4];
    for (int i = 0; i < 4; ++i) {
        sums[i] = scratch + i * row_floats(guide.width()) + kChannels;
        means[i] = sums[i] + 4 * row_floats(guide.width());
        std::fill(sums[i] - kChannels, sums[i], 0.0f);
        std::fill(sums[i] + count, sums[i] + count + kChannels, 0.0f);
    }
    sum_moments(x, t, count, sums[0], sums[1], sums[2], sums[3]);
    const float reciprocal = reciprocal_area(y, guide.height());
    for (int i = 0; i < 4; ++i) mean_along_row(sums[i], count, reciprocal, means[i]);

    float* slopes = slope.row(y);
    float* offsets = offset.row(y);
    for (int i = 0; i < count; ++i) {
        const float mean_x = means[0][i], mean_t = means[1][i];
        const float covariance = means[2][i] - mean_x * mean_t;
        const float variance = means[3][i] - mean_x * mean_x;
        const float a = covariance / (variance + epsilon);
        slopes[i] = a;
        offsets[i] = mean_t - a * mean_x;
    }
}

void guided_pixels(const FeatureMap& guide, const FeatureMap& slope, const FeatureMap& offset,
                   int y,
                   std::uint8_t* pixels, float* scratch) {
    const int count = guide.width() * kChannels;
    const FeatureMap* models[2] = {&slope, &offset};
    float *sums[2], *means[2];
    for (int k = 0; k < 2; ++k) {
        sums[k] = scratch + k * row_floats(guide.width()) + kChannels;
        means[k] = sums[k] + 2 * row_floats(guide.width());
        std::fill(sums[k] - kChannels, sums[k], 0.0f);
        std::fill(sums[k] + count, sums[k] + count + kChannels, 0.0f);
        const float* rows[3];
        for (int i = 0; i < 3; ++i) rows[i] = models[k]->padded_row(y - 1 + i);
        for (int i = 0; i < count; ++i) sums[k][i] = rows[0][i] + rows[1][i] + rows[2][i];
        mean_along_row(sums[k], count, reciprocal_area(y, guide.height()), means[k]);
    }
    const float* x = guide.row(y);
    for (int i = 0; i < count; ++i) {
        const float value = means[0][i] * x[i] + means[1][i];
        const float clipped = std::max(std::min(value, 0.999999f), -0.999999f);
        pixels[i] = static_cast<std::uint8_t>(static_cast<int>((clipped + 1.0f) * 127.5f));
    }
}

}  // namespace dctnet
