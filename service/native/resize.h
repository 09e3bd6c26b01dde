// TensorFlow's ResizeBilinear by 2, added to the skip connection.
#pragma once

#include "feature_map.h"

namespace dctnet {

// Adds row y of `low` enlarged by 2 to row y of `skip`.
//
// align_corners and half_pixel_centers are off: output pixel i lies at i / 2 of the input. Even
// pixels are copies, odd pixels the mean of two; the last pixel is repeated.
void upsample_add(const FeatureMap& low, const FeatureMap& skip, int y);

}  // namespace dctnet
