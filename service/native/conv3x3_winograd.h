// 3×3 convolution with stride 1 and zero padding, by Winograd's F(6×6, 3×3).
#pragma once

#include <cstddef>

#include "feature_map.h"
#include "memory.h"
#include "vector.h"
#include "winograd.h"

namespace dctnet {

class WinogradConv {
  public:
    using Algorithm = Winograd<6, 3>;
    static constexpr int kTile = Algorithm::kOutputs;  // A tile is 6×6 outputs.

    // Padding that the input map needs.
    static constexpr int kLeft = 1;
    static constexpr int right(int width) {
        return (width + kTile - 1) / kTile * kTile + 1 - width;
    }

    enum class After { kLeakyRelu, kAddResidual };

    // Allocates the memory of the weights. Throws std::bad_alloc.
    WinogradConv(int inputs, int outputs);

    // Transforms `weights`, [3][3][inputs][outputs], and copies `bias`, [outputs].
    void set_weights(const float* weights, const float* bias);

    // Number of work items of tile rows [from, to): the fewest that give each thread as many. Items
    // are independent, and no value depends on their number.
    static int items(const FeatureMap& input, int from, int to, int threads);

    // Floats of scratch memory for one item of any layer.
    static std::size_t scratch();

    // Computes one of the items. `output` may be the residual itself.
    void compute(const FeatureMap& input, const FeatureMap& output, After after, int from, int to,
                 int item, int items, float* scratch) const;

  private:
    int inputs_, outputs_;
    AlignedFloats weights_;  // [panel][point][input][kPanel]
    AlignedFloats bias_;
};

}  // namespace dctnet
