// Last layer: 7×7 convolution of 32 to 3 channels, by Winograd's F(4, 7) along the height and
// directly along the width. Vectors run over the input channels, because there are few outputs.
#pragma once

#include "feature_map.h"
#include "memory.h"

namespace dctnet {

class LastConv {
  public:
    static constexpr int kInputs = 32, kOutputs = 3;
    static constexpr int kTileRows = 4;

    // Padding that the input map needs.
    static constexpr int kLeft = 3;
    static int right(int width);

    // Allocates the memory of the weights. Throws std::bad_alloc.
    LastConv();

    // Transforms `weights`, [7][7][32][3], and copies `bias`, [3].
    void set_weights(const float* weights, const float* bias);

    // Number of work items of tile rows [from, to). Items are independent.
    static int items(const FeatureMap& output, int from, int to);

    // Floats of scratch memory for one item.
    static std::size_t scratch();

    // Computes one item; `from` is the first tile row. A tile row is four output rows.
    void compute(const FeatureMap& input, const FeatureMap& output, int from, int item,
                 float* scratch) const;

  private:
    AlignedFloats weights_;  // [point][7 · 32 / kWidth][3][kWidth]
    float bias_[kOutputs];
};

}  // namespace dctnet
