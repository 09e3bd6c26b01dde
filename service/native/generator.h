// Generator: the layers with their weights, and the computation of a call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "conv3x3_strided.h"
#include "conv3x3_winograd.h"
#include "conv7x7_first.h"
#include "conv7x7_last.h"
#include "memory.h"

namespace dctnet {

// Channels at full size; twice as many at half size, four times at a quarter.
inline constexpr int kChannels = 32;

// Stages of a call's profile.
enum class Stage {
    kNormalise,
    kConv,
    kConv1,
    kConv2,
    kConv3,
    kConv4,
    kBlocks,
    kConv5,
    kResize,
    kConv6,
    kConv7,
    kResize1,
    kConv8,
    kConv9,
    kGuidedModel,
    kGuidedPixels,
    kCount
};

// Memory of a call. It grows to the size of the largest image.
class Scratch {
  public:
    // Returns memory of at least `count` floats. Throws std::bad_alloc.
    float* take(std::size_t count);
    void trim();
    std::size_t bytes() const { return capacity_ * sizeof(float); }

    std::array<double, static_cast<std::size_t>(Stage::kCount)> seconds{};  // of the last call

  private:
    AlignedFloats memory_;
    std::size_t capacity_ = 0;
};

class Generator {
  public:
    static constexpr int kBlocks = 4;

    static std::size_t weight_count();

    // See dctnet_scratch_reserve. Throws std::bad_alloc.
    static void reserve(int height, int width, int threads, Scratch& scratch);

    // Transforms `weights`, weight_count() floats in the order that dctnet.h gives, in the memory
    // that the layers allocate when they are created. Does not allocate.
    void set_weights(const float* weights, float epsilon);

    // See dctnet_draw. Throws std::bad_alloc.
    void generate(const std::uint8_t* image, std::uint8_t* cartoon, int height, int width,
                  int threads, Scratch& scratch) const;

  private:
    struct Block {
        WinogradConv conv1{4 * kChannels, 4 * kChannels}, conv2{4 * kChannels, 4 * kChannels};
    };

    FirstConv conv_;
    StridedConv conv1_{kChannels};
    WinogradConv conv2_{kChannels, 2 * kChannels};
    StridedConv conv3_{2 * kChannels};
    WinogradConv conv4_{2 * kChannels, 4 * kChannels};
    std::array<Block, kBlocks> blocks_;
    WinogradConv conv5_{4 * kChannels, 2 * kChannels};
    WinogradConv conv6_{2 * kChannels, 2 * kChannels};
    WinogradConv conv7_{2 * kChannels, kChannels};
    WinogradConv conv8_{kChannels, kChannels};
    LastConv conv9_;
    float epsilon_ = 0;
};

}  // namespace dctnet
