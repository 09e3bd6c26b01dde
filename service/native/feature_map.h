// Feature map: rows of pixels with float32 channels, zero-padded for the convolutions.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>

#include "memory.h"

namespace dctnet {

// Shape of a map. A row is `left` zero pixels, `width` pixels, `right` zero pixels; a pixel is
// `channels` floats. A ring keeps only the last `held` written rows.
struct Shape {
    int height, width, channels;
    int left = 0, right = 0;
    int held = 0;  // 0: all rows

    int rows() const { return held ? std::min(held, height) : height; }
    // An odd number of cache lines, so that the same pixels of successive rows map to different
    // cache sets.
    std::size_t stride() const {
        const std::size_t floats = static_cast<std::size_t>(left + width + right) * channels;
        return ((floats + kFloatsPerCacheLine - 1) / kFloatsPerCacheLine | 1) * kFloatsPerCacheLine;
    }
    // One more row, of zeros, for all rows above and below the image.
    std::size_t floats() const { return (rows() + 1) * stride(); }
};

// Non-owning view of shape.floats() floats as a map.
class FeatureMap {
  public:
    FeatureMap() = default;
    FeatureMap(float* data, const Shape& shape)
        : shape_(shape),
          rows_(shape.rows()),
          stride_(shape.stride()),
          first_(data + static_cast<std::size_t>(shape.left) * shape.channels),
          zeros_(first_ + rows_ * stride_) {}

    // Zeroes the padding. Call it once, before the first row is written.
    void clear_padding() const {
        const std::size_t before = static_cast<std::size_t>(shape_.left) * shape_.channels;
        const std::size_t inside = static_cast<std::size_t>(shape_.width) * shape_.channels;
        for (int i = 0; i < rows_; ++i) {
            float* row = first_ + i * stride_;
            std::fill(row - before, row, 0.0f);
            std::fill(row + inside, row - before + stride_, 0.0f);
        }
        std::fill(zeros_ - before, zeros_ - before + stride_, 0.0f);
    }

    // Returns a map of fewer channels whose rows begin where the rows of this one begin. It has no
    // padding.
    FeatureMap narrowed(int channels) const {
        FeatureMap map = *this;
        map.shape_.channels = channels;
        return map;
    }

    int height() const { return shape_.height; }
    int width() const { return shape_.width; }
    int channels() const { return shape_.channels; }

    // Returns the first pixel of row y.
    float* row(int y) const {
        assert(0 <= y && y < shape_.height);
        return first_ + (y % rows_) * stride_;
    }
    // Returns the first pixel of row y for reading; rows outside the image are zero.
    const float* padded_row(int y) const {
        return 0 <= y && y < shape_.height ? row(y) : zeros_;
    }

  private:
    Shape shape_{};
    int rows_ = 0;
    std::size_t stride_ = 0;
    float* first_ = nullptr;
    float* zeros_ = nullptr;
};

}  // namespace dctnet
