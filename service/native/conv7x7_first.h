// The first layer: a 7×7 convolution of 3 to 32 channels and leaky ReLU, as Winograd's F(4, 7)
// along the height; along the width it stays direct. Ten multiplications make what 28 made.
#pragma once

#include "feature_map.h"
#include "memory.h"

namespace dctnet {

class FirstConv {
  public:
    static constexpr int kInputs = 3, kOutputs = 32;
    static constexpr int kTileRows = 4;

    // What a map must have for this convolution to read it: a group of pixels reads on beyond SAME.
    static constexpr int kLeft = 3;
    static int right(int width);

    // `weights` is [7][7][3][32], `bias` [32]. Throws std::bad_alloc.
    FirstConv(const float* weights, const float* bias);

    // How many work items tile rows [from, to) make. Items are independent.
    static int items(const Map& output, int from, int to);

    // The floats of scratch memory that one item needs.
    static std::size_t scratch();

    // Computes one of the items of the tile rows from `from` on; a tile row is four of the output's.
    void compute(const Map& input, const Map& output, int from, int item, float* scratch) const;

  private:
    Floats weights_;  // [panel][point][7][3][kPanel]
    Floats bias_;
};

}  // namespace dctnet
