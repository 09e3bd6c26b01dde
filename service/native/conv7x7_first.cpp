#include "conv7x7_first.h"

#include <algorithm>

#include "conv7x7.h"
#include "micro_kernel.h"

namespace dctnet {
namespace {

using Algorithm = SevenTapWinograd;
static_assert(FirstConv::kTileRows == Algorithm::kOutputs);
constexpr int kPoints = Algorithm::kPoints;
constexpr int kTaps = 7 * FirstConv::kInputs;  // contiguous in a row
constexpr int kPanels = FirstConv::kOutputs / kPanel;

// Pixels of an item, whose transformed rows stay in the L1 cache.
constexpr int kSegment = 96;
static_assert(kSegment % kRows == 0);
constexpr int kRowFloats =
    static_cast<int>(round_up((kSegment + 6) * FirstConv::kInputs, kFloatsPerCacheLine));

using Item = Strip<FirstConv, kSegment>;

}  // namespace

FirstConv::FirstConv()
    : weights_(allocate(kPoints * kTaps * kOutputs)), bias_(allocate(kOutputs)) {}

void FirstConv::set_weights(const float* weights, const float* bias) {
    float transformed[kPoints][kTaps * kOutputs];
    for (int point = 0; point < kPoints; ++point) {
        for (int i = 0; i < kTaps * kOutputs; ++i) {
            double sum = 0;
            for (int y = 0; y < 7; ++y)
                sum += Algorithm::kTables.filter[point][y] * weights[y * kTaps * kOutputs + i];
            transformed[point][i] = static_cast<float>(sum);
        }
    }
    pack_panels(transformed[0], kPoints * kTaps, kOutputs, weights_.get());
    std::copy(bias, bias + kOutputs, bias_.get());
}

int FirstConv::right(int width) {
    // The last segment's transform reads whole vectors.
    return static_cast<int>(round_up(width, kRows)) - width + 3 + (kWidth + 2) / 3;
}

std::size_t FirstConv::scratch() { return kPoints * (kRowFloats + kRows * kPanel); }

int FirstConv::items(const FeatureMap& output, int from, int to) {
    return Item::items(output, from, to);
}

void FirstConv::compute(const FeatureMap& input, const FeatureMap& output, int from, int item,
                        float* scratch) const {
    const Item strip(input, output, from, item);
    const int pixels = strip.pixels;
    float* transformed = scratch;
    float* products = scratch + kPoints * kRowFloats;
    strip.transform<kRowFloats>((static_cast<int>(round_up(pixels, kRows)) + 6) * kInputs,
                                transformed);

    for (int panel = 0; panel < kPanels; ++panel) {
        for (int x = 0; x < pixels; x += kRows) {
            const float* weights = weights_.get() + panel * kPoints * kTaps * kPanel;
            for (int point = 0; point < kPoints; ++point) {
                Sums sums = {};
                accumulate<kInputs, kTaps>(transformed + point * kRowFloats + x * kInputs, weights,
                                           sums);
                unroll<kRows>([&](auto i) INLINE_LAMBDA {
                    unroll<kPanelVectors>([&](auto v) INLINE_LAMBDA {
                        store(products + (point * kRows + i) * kPanel + v * kWidth, sums[i][v]);
                    });
                });
            }
            const int count = std::min(pixels - x, kRows);
            for (int i = 0; i < count; ++i) {
                for (int c = 0; c < kPanel; c += kWidth) {
                    Vector points[kPoints], outputs[kTileRows];
                    unroll<kPoints>([&](auto p) INLINE_LAMBDA {
                        points[p] = load(products + (p * kRows + i) * kPanel + c);
                    });
                    Algorithm::output(points, outputs);
                    const Vector bias = load(bias_.get() + panel * kPanel + c);
                    unroll<kTileRows>([&](auto y) INLINE_LAMBDA {
                        if (y >= strip.height) return;
                        store(strip.targets[y] + (x + i) * kOutputs + panel * kPanel + c,
                              leaky_relu(outputs[y] + bias));
                    });
                }
            }
        }
    }
}

}  // namespace dctnet
