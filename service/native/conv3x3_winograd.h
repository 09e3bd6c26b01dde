// A 3×3 convolution of stride 1 with zero padding, as Winograd's F(6×6, 3×3).
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

    // What a map must have for this convolution to read it.
    static constexpr int kLeft = 1;
    static constexpr int right(int width) {
        return (width + kTile - 1) / kTile * kTile + 1 - width;
    }

    enum class After { kLeakyRelu, kAddResidual };

    // `weights` is [3][3][inputs][outputs], `bias` [outputs]. Throws std::bad_alloc.
    WinogradConv(int inputs, int outputs, const float* weights, const float* bias);

    // How many work items the tiles of tile rows [from, to) make. Items are independent.
    static int items(const Map& input, int from, int to);

    // The floats of scratch memory that one item needs, whatever the layer.
    static std::size_t scratch();

    // Computes one of them. `output` may be the residual itself.
    void compute(const Map& input, const Map& output, After after, int from, int to, int item,
                 float* scratch) const;

  private:
    int inputs_, outputs_;
    Floats weights_;  // [panel][point][input][kPanel]
    Floats bias_;
};

}  // namespace dctnet
