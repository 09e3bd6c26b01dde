// The last layer: a 7×7 convolution of 32 to 3 channels, as Winograd's F(4, 7) along the height;
// along the width it stays direct. Vectors run over the input channels, for the outputs are too
// few.
#pragma once

#include "feature_map.h"
#include "memory.h"

namespace dctnet {

class LastConv {
  public:
    static constexpr int kInputs = 32, kOutputs = 3;
    static constexpr int kTileRows = 4;

    // What a map must have for this convolution to read it.
    static constexpr int kLeft = 3;
    static int right(int width);

    // `weights` is [7][7][32][3], `bias` [3]. Throws std::bad_alloc.
    LastConv(const float* weights, const float* bias);

    // How many work items tile rows [from, to) make. Items are independent.
    static int items(const Map& output, int from, int to);

    // The floats of scratch memory that one item needs.
    static std::size_t scratch();

    // Computes one of the items of the tile rows from `from` on; a tile row is four of the output's.
    void compute(const Map& input, const Map& output, int from, int item, float* scratch) const;

  private:
    Floats weights_;  // [point][7 · 32 / kWidth][3][kWidth]
    float bias_[kOutputs];
};

}  // namespace dctnet
