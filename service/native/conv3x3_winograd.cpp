#include "conv3x3_winograd.h"

#include <algorithm>
#include <utility>

#include "micro_kernel.h"

namespace dctnet {
namespace {

using Algorithm = WinogradConv::Algorithm;
constexpr int kTile = WinogradConv::kTile;
constexpr int kPoints = Algorithm::kPoints;  // in one dimension
constexpr int kSquare = kPoints * kPoints;   // in two
constexpr int kMaxChannels = 128;
constexpr int kChunk = 16;  // contiguous input channels: one cache line

// Tiles are processed in groups of kRows. An item has at most as many groups as an L2 cache holds
// transformed: 512 KiB, or 1 MiB and more on CPUs with 512-bit vectors.
constexpr int kGroups = kWidth == 16 ? 6 : 2;

// A group's transformed input, its values, is [chunk][point][tile][kChunk]; its products are
// [point][tile][kPanel]. A transform thus stays within 24 KiB. Chunks are padded to avoid conflicts
// in an L1 cache with ways of 4 KiB.
constexpr std::size_t kValueStride = kRows * kChunk;
constexpr std::size_t kChunkStride = (kSquare + 1) * kValueStride;
constexpr std::size_t kGroupValues = kMaxChannels / kChunk * kChunkStride;
constexpr std::size_t kProductStride = kRows * kPanel;
constexpr std::size_t kGroupProducts = kSquare * kProductStride;

// values = Bᵀ d B, for a tile's 8×8 pixels d; `rows` point to the leftmost pixels.
//
// Both transforms prefetch for the next tile, because hardware prefetchers do not follow eight rows
// of short runs. Prefetching an address beyond a row's end is harmless.
void transform_input(const float* const (&rows)[kPoints], int channels, float* values) {
    for (int c = 0; c < channels; c += kWidth) {
        Vector columns[kPoints][kPoints];  // [x][point]
        unroll<kPoints>([&](auto x) INLINE_LAMBDA {
            Vector pixels[kPoints];
            unroll<kPoints>([&](auto y) INLINE_LAMBDA {
                const float* pixel = rows[y] + x * channels + c;
                pixels[y] = load(pixel);
                if (x >= kPoints - kTile && c % kChunk == 0)
                    __builtin_prefetch(pixel + kTile * channels);
            });
            Algorithm::input(pixels, columns[x]);
        });
        float* target = values + c / kChunk * kChunkStride + c % kChunk;
        unroll<kPoints>([&](auto y) INLINE_LAMBDA {
            Vector row[kPoints], points[kPoints];
            unroll<kPoints>([&](auto x) INLINE_LAMBDA { row[x] = columns[x][y]; });
            Algorithm::input(row, points);
            unroll<kPoints>([&](auto x) INLINE_LAMBDA {
                store(target + (y * kPoints + x) * kValueStride, points[x]);
            });
        });
    }
}

// products[tile][o] = Σ values[chunk][tile][i] · weights[chunk][i][o], for a point and a panel.
//
// Prefetches the values of the next product, and a share of the next point's weights: they come from
// the L2 and the L3 cache. One line at a time, because the L1 cache has few misses in flight.
constexpr int kShareLines = kChunk / 2;
constexpr int kShares = kChunk * kPanel / (kShareLines * kFloatsPerCacheLine);
static_assert(kRows <= kChunk / 2);

INLINE void multiply(const float* values, const float* weights, const float* next_values,
                     const float* next_weights, int chunks, float* products) {
    Sums sums = {};
    for (int chunk = 0; chunk < chunks; ++chunk) {
        accumulate<kChunk, kChunk>(values, weights, sums, [&](auto k) INLINE_LAMBDA {
            constexpr int kLine = k / 2;
            if constexpr (k % 2 == 0)
                __builtin_prefetch(next_weights + kLine * kFloatsPerCacheLine);
            else if constexpr (kLine < kRows)
                __builtin_prefetch(next_values + kLine * kFloatsPerCacheLine);
        });
        values += kChunkStride;
        next_values += kChunkStride;
        next_weights += kShareLines * kFloatsPerCacheLine;
    }
    unroll<kRows>([&](auto tile) INLINE_LAMBDA {
        unroll<kPanelVectors>([&](auto v) INLINE_LAMBDA {
            store(products + tile * kPanel + v * kWidth, sums[tile][v]);
        });
    });
}

// Part of a tile's 6×6 outputs that lies in the image.
struct Extent {
    int height, width;
};

// Writes Aᵀ products A + bias, with activation or residual, to a panel of the pixels; `rows` point
// to the leftmost pixels.
template <WinogradConv::After kAfter>
INLINE void transform_output(const float* products, const float* bias, float* const (&rows)[kTile],
                             int channels, Extent extent) {
    for (int c = 0; c < kPanel; c += kWidth) {
        Vector columns[kPoints][kTile];  // [point][y]
        unroll<kPoints>([&](auto x) INLINE_LAMBDA {
            Vector points[kPoints];
            unroll<kPoints>([&](auto y) INLINE_LAMBDA {
                points[y] = load(products + (y * kPoints + x) * kProductStride + c);
            });
            Algorithm::output(points, columns[x]);
        });
        const Vector b = load(bias + c);
        unroll<kTile>([&](auto y) INLINE_LAMBDA {
            if (y >= extent.height) return;
            Vector points[kPoints], outputs[kTile];
            unroll<kPoints>([&](auto x) INLINE_LAMBDA { points[x] = columns[x][y]; });
            Algorithm::output(points, outputs);
            unroll<kTile>([&](auto x) INLINE_LAMBDA {
                if (x >= extent.width) return;
                float* target = rows[y] + x * channels + c;
                if (c == 0) __builtin_prefetch(target + kTile * channels, 1);
                const Vector value = outputs[x] + b;
                if constexpr (kAfter == WinogradConv::After::kLeakyRelu)
                    store(target, leaky_relu(value));
                else
                    store(target, value + load(target));
            });
        });
    }
}

int divide_up(int dividend, int divisor) { return (dividend + divisor - 1) / divisor; }

int tile_groups(const FeatureMap& input, int from, int to) {
    return divide_up((to - from) * divide_up(input.width(), kTile), kRows);
}

// Whole tiles, which are nearly all, use code without conditions.
template <WinogradConv::After kAfter>
void write_tile(const float* products, const float* bias, float* const (&rows)[kTile], int channels,
                Extent extent) {
    constexpr Extent kWhole{kTile, kTile};
    if (extent.height == kTile && extent.width == kTile)
        transform_output<kAfter>(products, bias, rows, channels, kWhole);
    else
        transform_output<kAfter>(products, bias, rows, channels, extent);
}

}  // namespace

WinogradConv::WinogradConv(int inputs, int outputs)
    : inputs_(inputs),
      outputs_(outputs),
      weights_(allocate(static_cast<std::size_t>(kSquare) * inputs * outputs)),
      bias_(allocate(outputs)) {}

// Writes G g Gᵀ in float64, rounded to float32, a panel of output channels at a time. No sum depends
// on the width of the vectors.
void WinogradConv::set_weights(const float* weights, const float* bias) {
    constexpr auto& filter = Algorithm::kTables.filter;
    std::copy(bias, bias + outputs_, bias_.get());
    float* target = weights_.get();
    for (int panel = 0; panel < outputs_; panel += kPanel, target += kSquare * inputs_ * kPanel) {
        for (int i = 0; i < inputs_; ++i) {
            double columns[kPoints][3][kPanel] = {};  // G g
            for (int p = 0; p < kPoints; ++p)
                for (int y = 0; y < 3; ++y)
                    for (int x = 0; x < 3; ++x)
                        for (int o = 0; o < kPanel; ++o)
                            columns[p][x][o] +=
                                filter[p][y] *
                                weights[((y * 3 + x) * inputs_ + i) * outputs_ + panel + o];
            for (int p = 0; p < kPoints; ++p) {
                for (int q = 0; q < kPoints; ++q) {
                    float* row = target + ((p * kPoints + q) * inputs_ + i) * kPanel;
                    for (int o = 0; o < kPanel; ++o) {
                        double value = 0;  // of G g Gᵀ
                        for (int x = 0; x < 3; ++x) value += columns[p][x][o] * filter[q][x];
                        row[o] = static_cast<float>(value);
                    }
                }
            }
        }
    }
}

std::size_t WinogradConv::scratch() { return kGroups * (kGroupValues + kGroupProducts); }

int WinogradConv::items(const FeatureMap& input, int from, int to, int threads) {
    const int fewest = divide_up(tile_groups(input, from, to), kGroups);
    return divide_up(fewest, threads) * threads;
}

void WinogradConv::compute(const FeatureMap& input, const FeatureMap& output, After after,
                           int from, int to, int item, int items, float* scratch) const {
    const int columns = divide_up(input.width(), kTile);
    const int all_groups = tile_groups(input, from, to);
    const int first_group = all_groups * item / items;
    const int groups = all_groups * (item + 1) / items - first_group;
    const int first = from * columns + first_group * kRows;
    const int tiles = std::min(to * columns - first, groups * kRows);
    const auto top = [&](int tile) { return (first + tile) / columns * kTile; };
    const auto left = [&](int tile) { return (first + tile) % columns * kTile; };
    float* values = scratch;
    float* products = scratch + kGroups * kGroupValues;

    for (int tile = 0; tile < tiles; ++tile) {
        const float* rows[kPoints];
        for (int i = 0; i < kPoints; ++i)
            rows[i] = input.padded_row(top(tile) - 1 + i) + (left(tile) - 1) * inputs_;
        transform_input(rows, inputs_,
                        values + tile / kRows * kGroupValues + tile % kRows * kChunk);
    }

    for (int panel = 0; panel < outputs_; panel += kPanel) {
        const float* weights = weights_.get() + static_cast<std::size_t>(panel) * kSquare * inputs_;
        const auto at = [&](int group, int point) {
            return values + group * kGroupValues + point * kValueStride;
        };
        for (int point = 0; point < kSquare; ++point) {
            const float* current = std::exchange(weights, weights + inputs_ * kPanel);
            for (int group = 0; group < groups; ++group) {
                const float* next = group + 1 < groups ? at(group + 1, point) : at(0, point + 1);
                multiply(at(group, point), current, next,
                         weights + group % kShares * inputs_ * kPanel / kShares, inputs_ / kChunk,
                         products + group * kGroupProducts + point * kProductStride);
            }
        }

        for (int tile = 0; tile < tiles; ++tile) {
            const Extent extent{std::min(output.height() - top(tile), kTile),
                                std::min(output.width() - left(tile), kTile)};
            float* rows[kTile];
            for (int i = 0; i < extent.height; ++i)
                rows[i] = output.row(top(tile) + i) + left(tile) * outputs_ + panel;
            const float* source =
                products + tile / kRows * kGroupProducts + tile % kRows * kPanel;
            const auto write = after == After::kLeakyRelu ? write_tile<After::kLeakyRelu>
                                                          : write_tile<After::kAddResidual>;
            write(source, bias_.get() + panel, rows, outputs_, extent);
        }
    }
}

}  // namespace dctnet
