// A 3×3 convolution of stride 2 and leaky ReLU, directly.
#pragma once

#include "feature_map.h"
#include "memory.h"

namespace dctnet {

class StridedConv {
  public:
    // What a map must have for this convolution to read it. TensorFlow's SAME padding of an even
    // size lies after it; a group of pixels reads on beyond that.
    static constexpr int kLeft = 0;
    static int right(int width);

    // `weights` is [3][3][channels][channels], `bias` [channels]. Throws std::bad_alloc.
    StridedConv(int channels, const float* weights, const float* bias);

    // Computes row y of the output.
    void compute(const Map& input, const Map& output, int y) const;

  private:
    template <int kChannels>
    void compute(const Map& input, const Map& output, int y) const;

    int channels_;
    Floats weights_;  // [panel][3][3][channels][kPanel]
    Floats bias_;
};

}  // namespace dctnet
