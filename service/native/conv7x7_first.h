// First layer: 7×7 convolution of 3 to 32 channels with leaky ReLU, by Winograd's F(4, 7) along the
// height and directly along the width. 10 multiplications replace 28.
#pragma once

#include "feature_map.h"
#include "memory.h"

namespace dctnet {

class FirstConv {
  public:
    static constexpr int kInputs = 3, kOutputs = 32;
    static constexpr int kTileRows = 4;

    // Padding that the input map needs: a group of pixels reads beyond SAME.
    static constexpr int kLeft = 3;
    static int right(int width);

    // Allocates the memory of the weights. Throws std::bad_alloc.
    FirstConv();

    // Transforms `weights`, [7][7][3][32], and copies `bias`, [32].
    void set_weights(const float* weights, const float* bias);

    // Number of work items of tile rows [from, to). Items are independent.
    static int items(const FeatureMap& output, int from, int to);

    // Floats of scratch memory for one item.
    static std::size_t scratch();

    // Computes one item; `from` is the first tile row. A tile row is four output rows.
    void compute(const FeatureMap& input, const FeatureMap& output, int from, int item,
                 float* scratch) const;

  private:
    AlignedFloats weights_;  // [panel][point][7][3][kPanel]
    AlignedFloats bias_;
};

}  // namespace dctnet
