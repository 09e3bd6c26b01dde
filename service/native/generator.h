// Generator: the layers with their weights, and the computation of a call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "conv3x3_strided.h"
#include "conv3x3_winograd.h"
#include "conv7x7_first.h"
#include "conv7x7_last.h"
#include "memory.h"

namespace dctnet {

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

    // `weights` are weight_count() floats in the order that dctnet.h gives. Throws std::bad_alloc.
    Generator(const float* weights, float epsilon);

    // See dctnet_draw. Throws std::bad_alloc.
    void generate(const std::uint8_t* image, std::uint8_t* cartoon, int height, int width,
                  int threads, Scratch& scratch) const;

  private:
    class Reader;
    explicit Generator(Reader&& reader, float epsilon);

    struct Block {
        WinogradConv conv1, conv2;
    };

    FirstConv conv_;
    StridedConv conv1_;
    WinogradConv conv2_;
    StridedConv conv3_;
    WinogradConv conv4_;
    std::vector<Block> blocks_;
    WinogradConv conv5_, conv6_, conv7_, conv8_;
    LastConv conv9_;
    float epsilon_;
};

}  // namespace dctnet
