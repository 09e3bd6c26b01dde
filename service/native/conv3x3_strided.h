// Direct 3×3 convolution with stride 2 and leaky ReLU.
#pragma once

#include "feature_map.h"
#include "memory.h"

namespace dctnet {

class StridedConv {
  public:
    // Padding that the input map needs. TensorFlow's SAME padding of an even size is on the right;
    // a group of pixels reads beyond it.
    static constexpr int kLeft = 0;
    static int right(int width);

    // Allocates the memory of the weights. Throws std::bad_alloc.
    explicit StridedConv(int channels);

    // Copies `weights`, [3][3][channels][channels], and `bias`, [channels].
    void set_weights(const float* weights, const float* bias);

    // Computes row y of the output.
    void compute(const FeatureMap& input, const FeatureMap& output, int y) const;

  private:
    template <int kChannels>
    void compute(const FeatureMap& input, const FeatureMap& output, int y) const;

    int channels_;
    AlignedFloats weights_;  // [panel][3][3][channels][kPanel]
    AlignedFloats bias_;
};

}  // namespace dctnet
