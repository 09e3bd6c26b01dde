// TensorFlow's ResizeBilinear by two, and the addition of the skip.
#pragma once

#include "feature_map.h"

namespace dctnet {

// Row y of `output` = row y of twice enlarged `low` + row y of `skip`.
//
// align_corners and half_pixel_centers are off: output pixel i lies at i / 2 of the input, so even
// pixels are copies and odd ones the mean of two; beyond the last there is the last once more.
void upsample_add(const Map& low, const Map& skip, const Map& output, int y);

}  // namespace dctnet
