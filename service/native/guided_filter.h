// Guided filter of radius 1, channel by channel (He, Sun & Tang, "Guided Image Filtering", 2013),
// which keeps the image's edges in the U-Net's output; and the last operations of the graph.
#pragma once

#include <cstddef>
#include <cstdint>

#include "feature_map.h"

namespace dctnet {

// Padding that the maps need. A mean is over the pixels of a 3×3 box within the image.
inline constexpr int kGuidedLeft = 1, kGuidedRight = 1;

// Floats of scratch memory for one row.
std::size_t guided_scratch(int width);

// Computes row y of the linear model target ≈ slope · guide + offset in each pixel's box.
void guided_model(const FeatureMap& guide, const FeatureMap& target, float epsilon,
                  const FeatureMap& slope,
                  const FeatureMap& offset, int y, float* scratch);

// Computes row y of the cartoon: the mean model around each pixel, applied to the guide, as bytes.
void guided_pixels(const FeatureMap& guide, const FeatureMap& slope, const FeatureMap& offset,
                   int y,
                   std::uint8_t* pixels, float* scratch);

}  // namespace dctnet
