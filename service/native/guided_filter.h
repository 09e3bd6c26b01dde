// The guided filter of radius 1 (He, Sun & Tang, "Guided Image Filtering", 2013), channel by
// channel, that keeps the image's edges in the network's drawing; and the graph's last
// operations.
#pragma once

#include <cstddef>
#include <cstdint>

#include "feature_map.h"

namespace dctnet {

// What the maps must have. A mean is over the pixels of a 3×3 box that lie in the image.
inline constexpr int kGuidedLeft = 1, kGuidedRight = 1;

// The floats of scratch memory that a row needs.
std::size_t guided_scratch(int width);

// Row y of the linear model target ≈ slope · guide + offset in each pixel's box.
void guided_model(const Map& guide, const Map& target, float epsilon, const Map& slope,
                  const Map& offset, int y, float* scratch);

// Row y of the answer: the mean of the models around each pixel, applied to the guide, as bytes.
void guided_pixels(const Map& guide, const Map& slope, const Map& offset, int y,
                   std::uint8_t* pixels, float* scratch);

}  // namespace dctnet
