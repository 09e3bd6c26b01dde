#include "conv3x3_strided.h"

#include <algorithm>

#include "micro_kernel.h"

namespace dctnet {

StridedConv::StridedConv(int channels)
    : channels_(channels), weights_(allocate(9 * channels * channels)), bias_(allocate(channels)) {}

void StridedConv::set_weights(const float* weights, const float* bias) {
    pack_panels(weights, 9 * channels_, channels_, weights_.get());
    std::copy(bias, bias + channels_, bias_.get());
}

int StridedConv::right(int width) {
    const int outputs = static_cast<int>(round_up(width / 2, kRows));
    return 2 * outputs + 1 - width;
}

void StridedConv::compute(const FeatureMap& input, const FeatureMap& output, int y) const {
    if (channels_ == 32)
        compute<32>(input, output, y);
    else
        compute<64>(input, output, y);
}

template <int kChannels>
void StridedConv::compute(const FeatureMap& input, const FeatureMap& output, int y) const {
    const float* rows[3];
    for (int i = 0; i < 3; ++i) rows[i] = input.padded_row(2 * y + i);
    for (int panel = 0; panel < kChannels / kPanel; ++panel) {
        const float* bias = bias_.get() + panel * kPanel;
        for (int x = 0; x < output.width(); x += kRows) {
            Sums sums;
            unroll<kRows>([&](auto i) INLINE_LAMBDA {
                unroll<kPanelVectors>([&](auto v) INLINE_LAMBDA {
                    sums[i][v] = load(bias + v * kWidth);
                });
            });
            const float* weights = weights_.get() + panel * 9 * kChannels * kPanel;
            for (const float* row : rows)
                accumulate<2 * kChannels, 3 * kChannels>(row + x * 2 * kChannels, weights, sums);

            float* target = output.row(y) + x * kChannels + panel * kPanel;
            const int count = std::min(output.width() - x, kRows);
            unroll<kRows>([&](auto i) INLINE_LAMBDA {
                if (i >= count) return;
                unroll<kPanelVectors>([&](auto v) INLINE_LAMBDA {
                    store(target + i * kChannels + v * kWidth, leaky_relu(sums[i][v]));
                });
            });
        }
    }
}

}  // namespace dctnet
