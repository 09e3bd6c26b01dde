#include "conv7x7_last.h"

#include <algorithm>

#include "conv7x7.h"

namespace dctnet {
namespace {

using Algorithm = SevenTapWinograd;
static_assert(LastConv::kTileRows == Algorithm::kOutputs);
constexpr int kPoints = Algorithm::kPoints;
constexpr int kInputs = LastConv::kInputs, kOutputs = LastConv::kOutputs;
constexpr int kTaps = 7 * kInputs;  // contiguous in a row
constexpr int kVectors = kTaps / kWidth;
constexpr int kPixels = kWidth == 8 ? 4 : 6;  // at once: 4 × 3 sums fit AVX2's 16 registers

// Pixels of an item. One point's transformed row stays in the L1 cache, all ten in the L2 cache.
constexpr int kSegment = 48;
static_assert(kSegment % kPixels == 0);
constexpr int kRowFloats = (kSegment + 6) * kInputs;
constexpr int kProductFloats = kSegment * kOutputs * kWidth;

using Item = Strip<LastConv, kSegment>;

}  // namespace

LastConv::LastConv() : weights_(allocate(kPoints * kTaps * kOutputs)) {}

void LastConv::set_weights(const float* weights, const float* bias) {
    std::copy(bias, bias + kOutputs, bias_);
    for (int point = 0; point < kPoints; ++point) {
        for (int k = 0; k < kTaps; ++k) {
            for (int o = 0; o < kOutputs; ++o) {
                double sum = 0;
                for (int y = 0; y < 7; ++y)
                    sum += Algorithm::kTables.filter[point][y] *
                           weights[(y * kTaps + k) * kOutputs + o];
                weights_[((point * kVectors + k / kWidth) * kOutputs + o) * kWidth + k % kWidth] =
                    static_cast<float>(sum);
            }
        }
    }
}

int LastConv::right(int width) {
    return static_cast<int>(round_up(width, kPixels)) - width + 3;
}

std::size_t LastConv::scratch() { return kPoints * (kRowFloats + kProductFloats); }

int LastConv::items(const FeatureMap& output, int from, int to) {
    return Item::items(output, from, to);
}

void LastConv::compute(const FeatureMap& input, const FeatureMap& output, int from, int item,
                       float* scratch) const {
    const Item strip(input, output, from, item);
    const int groups = (strip.pixels + kPixels - 1) / kPixels;
    float* transformed = scratch;
    float* products = scratch + kPoints * kRowFloats;
    strip.transform<kRowFloats>((groups * kPixels + 6) * kInputs, transformed);

    for (int point = 0; point < kPoints; ++point) {
        for (int group = 0; group < groups; ++group) {
            Vector sums[kPixels][kOutputs] = {};
            const float* values = transformed + point * kRowFloats + group * kPixels * kInputs;
            const float* weights = weights_.get() + point * kTaps * kOutputs;
            // Not unrolled, because gcc would spill the sums.
            for (int k = 0; k < kTaps; k += kWidth, weights += kOutputs * kWidth) {
                Vector taps[kOutputs];
                unroll<kOutputs>([&](auto o) INLINE_LAMBDA {
                    taps[o] = load(weights + o * kWidth);
                });
                unroll<kPixels>([&](auto x) INLINE_LAMBDA {
                    const Vector value = load(values + x * kInputs + k);
                    unroll<kOutputs>([&](auto o) INLINE_LAMBDA { sums[x][o] += value * taps[o]; });
                });
            }
            float* target =
                products + point * kProductFloats + group * kPixels * kOutputs * kWidth;
            unroll<kPixels>([&](auto x) INLINE_LAMBDA {
                unroll<kOutputs>([&](auto o) INLINE_LAMBDA {
                    store(target + (x * kOutputs + o) * kWidth, sums[x][o]);
                });
            });
        }
    }

    for (int i = 0; i < strip.pixels * kOutputs; ++i) {
        Vector points[kPoints], outputs[kTileRows];
        unroll<kPoints>([&](auto p) INLINE_LAMBDA {
            points[p] = load(products + p * kProductFloats + i * kWidth);
        });
        Algorithm::output(points, outputs);
        unroll<kTileRows>([&](auto y) INLINE_LAMBDA {
            if (y >= strip.height) return;
            strip.targets[y][i] = sum(outputs[y]) + bias_[i % kOutputs];
        });
    }
}

}  // namespace dctnet
