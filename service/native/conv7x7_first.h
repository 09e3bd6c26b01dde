// The first layer: a 7×7 convolution of 3 to 32 channels and leaky ReLU, as Winograd's F(4, 7)
// along the height; along the width it stays direct. Ten multiplications make what 28 made.
#pragma once

#include "map.h"
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

    // The floats of scratch memory that a call needs.
    static std::size_t scratch();

    // Computes rows 4·tile to 4·tile + 3 of the output.
    void compute(const Map& input, const Map& output, int tile, float* scratch) const;

  private:
    Floats weights_;  // [panel][point][7][3][kPanel]
    Floats bias_;
};

}  // namespace dctnet
