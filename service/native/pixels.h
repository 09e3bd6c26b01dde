// First operations of the graph: normalises a row of bytes to floats in -1..1.
#pragma once

#include <cstdint>

#include "feature_map.h"

namespace dctnet {

inline void normalise(const std::uint8_t* pixels, int count, float* values) {
    for (int i = 0; i < count; ++i) values[i] = static_cast<float>(pixels[i]) / 127.5f - 1.0f;
}

}  // namespace dctnet
