#include "conv3x3_winograd.h"

#include <algorithm>

#include "micro_kernel.h"

namespace dctnet {
namespace {

using Algorithm = WinogradConv::Algorithm;
constexpr int kTile = WinogradConv::kTile;
constexpr int kPoints = Algorithm::kPoints;         // in one dimension
constexpr int kSquare = kPoints * kPoints;          // in two
constexpr int kMaxChannels = 128;
constexpr int kChunk = 16;  // input channels that lie together: a cache line

// Tiles go through the layer in groups of kRows, as many groups an item as fit the L2 cache.
#ifndef GROUPS
#define GROUPS 4
#endif
constexpr int kGroups = GROUPS;
constexpr int kTilesAnItem = kGroups * kRows;

// A group's transformed input is [chunk][point][row][kChunk], its products [point][row][kPanel]. A
// chunk is written by the transform within 24 KiB. Chunks are padded, lest they compete for the
// same lines of the L1 cache, whose ways are 4 KiB.
constexpr std::size_t kPointStride = kRows * kChunk;
constexpr std::size_t kChunkStride = kSquare * kPointStride + kPointStride;
constexpr std::size_t kProductStride = kRows * kPanel;
constexpr std::size_t kMaxValues = kMaxChannels / kChunk * kChunkStride;

void transform_input(const float* const (&rows)[kPoints], int channels, std::size_t column,
                     float* values) {
    for (int c = 0; c < channels; c += kWidth) {
        float* target = values + c / kChunk * kChunkStride + c % kChunk;
        Vector half[kPoints][kPoints];  // [column][point]
        unroll<kPoints>([&](auto x) INLINE_LAMBDA {
            Vector inputs[kPoints];
            unroll<kPoints>([&](auto y) INLINE_LAMBDA {
                inputs[y] = load(rows[y] + column + x * channels + c);
            });
            Algorithm::input(inputs, half[x]);
        });
        unroll<kPoints>([&](auto y) INLINE_LAMBDA {
            Vector inputs[kPoints], points[kPoints];
            unroll<kPoints>([&](auto x) INLINE_LAMBDA { inputs[x] = half[x][y]; });
            Algorithm::input(inputs, points);
            unroll<kPoints>([&](auto x) INLINE_LAMBDA {
                store(target + (y * kPoints + x) * kPointStride, points[x]);
            });
        });
    }
}

// products[tile][o] = Σ values[chunk][tile][i] · weights[chunk][i][o], for a point and a panel.
INLINE void multiply(const float* values, const float* weights, int chunks, float* products) {
    Sums sums = {};
    for (int chunk = 0; chunk < chunks; ++chunk, values += kChunkStride)
        accumulate<kChunk, kChunk>(values, weights, sums);
    unroll<kRows>([&](auto tile) INLINE_LAMBDA {
        unroll<kPanelVectors>([&](auto v) INLINE_LAMBDA {
            store(products + tile * kPanel + v * kWidth, sums[tile][v]);
        });
    });
}

template <WinogradConv::After kAfter, bool kWhole>
void transform_output(const float* products, const float* bias, float* const (&rows)[kTile],
                      int channels, int height, int width) {
    for (int c = 0; c < kPanel; c += kWidth) {
        Vector half[kPoints][kTile];
        unroll<kPoints>([&](auto x) INLINE_LAMBDA {
            Vector points[kPoints];
            unroll<kPoints>([&](auto y) INLINE_LAMBDA {
                points[y] = load(products + (y * kPoints + x) * kProductStride + c);
            });
            Algorithm::output(points, half[x]);
        });
        const Vector b = load(bias + c);
        unroll<kTile>([&](auto y) INLINE_LAMBDA {
            Vector points[kPoints], outputs[kTile];
            unroll<kPoints>([&](auto x) INLINE_LAMBDA { points[x] = half[x][y]; });
            Algorithm::output(points, outputs);
            if (!kWhole && y >= height) return;
            unroll<kTile>([&](auto x) INLINE_LAMBDA {
                if (!kWhole && x >= width) return;
                float* target = rows[y] + x * channels + c;
                const Vector value = outputs[x] + b;
                if constexpr (kAfter == WinogradConv::After::kLeakyRelu)
                    store(target, leaky_relu(value));
                else
                    store(target, value + load(target));
            });
        });
    }
}

}  // namespace

WinogradConv::WinogradConv(int inputs, int outputs, const float* weights, const float* bias)
    : inputs_(inputs),
      outputs_(outputs),
      weights_(allocate(static_cast<std::size_t>(kSquare) * inputs * outputs)),
      bias_(allocate(outputs)) {
    std::copy(bias, bias + outputs, bias_.get());
    constexpr auto& filter = Algorithm::kTables.filter;
    for (int i = 0; i < inputs; ++i) {
        for (int o = 0; o < outputs; ++o) {
            double half[kPoints][3] = {};
            for (int p = 0; p < kPoints; ++p)
                for (int y = 0; y < 3; ++y)
                    for (int x = 0; x < 3; ++x)
                        half[p][x] += filter[p][y] * weights[((y * 3 + x) * inputs + i) * outputs + o];
            for (int p = 0; p < kPoints; ++p) {
                for (int q = 0; q < kPoints; ++q) {
                    double value = 0;
                    for (int x = 0; x < 3; ++x) value += half[p][x] * filter[q][x];
                    const std::size_t row =
                        (static_cast<std::size_t>(o / kPanel) * kSquare + p * kPoints + q) * inputs + i;
                    weights_[row * kPanel + o % kPanel] = static_cast<float>(value);
                }
            }
        }
    }
}

std::size_t WinogradConv::scratch() { return kGroups * (kMaxValues + kSquare * kProductStride); }

int WinogradConv::items(const Map& input, int from, int to) {
    const int tiles = (to - from) * ((input.width() + kTile - 1) / kTile);
    return (tiles + kTilesAnItem - 1) / kTilesAnItem;
}

void WinogradConv::compute(const Map& input, const Map& output, After after, int from, int to,
                           int item, float* scratch) const {
    const int columns = (input.width() + kTile - 1) / kTile;
    const int first = from * columns + item * kTilesAnItem;
    const int tiles = std::min(to * columns - first, kTilesAnItem);
    const int groups = (tiles + kRows - 1) / kRows;
    float* values = scratch;
    float* products = scratch + kGroups * kMaxValues;

    for (int tile = 0; tile < tiles; ++tile) {
        const int y = (first + tile) / columns * kTile - 1, x = (first + tile) % columns * kTile - 1;
        const float* rows[kPoints];
        for (int i = 0; i < kPoints; ++i) rows[i] = input.padded_row(y + i) + x * inputs_;
        transform_input(rows, inputs_, 0,
                        values + tile / kRows * kMaxValues + tile % kRows * kChunk);
    }

    for (int panel = 0; panel < outputs_ / kPanel; ++panel) {
        const float* weights =
            weights_.get() + static_cast<std::size_t>(panel) * kSquare * inputs_ * kPanel;
        for (int point = 0; point < kSquare; ++point, weights += inputs_ * kPanel)
            for (int group = 0; group < groups; ++group)
                multiply(values + group * kMaxValues + point * kPointStride, weights,
                         inputs_ / kChunk, products + (group * kSquare + point) * kProductStride);

        for (int tile = 0; tile < tiles; ++tile) {
            const int y = (first + tile) / columns * kTile, x = (first + tile) % columns * kTile;
            const int height = std::min(output.height() - y, kTile);
            const int width = std::min(output.width() - x, kTile);
            float* rows[kTile];
            for (int i = 0; i < height; ++i)
                rows[i] = output.row(y + i) + static_cast<std::size_t>(x) * outputs_ + panel * kPanel;
            const float* source =
                products + tile / kRows * kSquare * kProductStride + tile % kRows * kPanel;
            const float* bias = bias_.get() + panel * kPanel;
            const bool whole = height == kTile && width == kTile;
            if (after == After::kLeakyRelu) {
                if (whole)
                    transform_output<After::kLeakyRelu, true>(source, bias, rows, outputs_, kTile, kTile);
                else
                    transform_output<After::kLeakyRelu, false>(source, bias, rows, outputs_, height, width);
            } else {
                if (whole)
                    transform_output<After::kAddResidual, true>(source, bias, rows, outputs_, kTile, kTile);
                else
                    transform_output<After::kAddResidual, false>(source, bias, rows, outputs_, height, width);
            }
        }
    }
}

}  // namespace dctnet
