// A feature map: rows of pixels of float32 channels, padded with zeros as the convolutions read it.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>

#include "memory.h"

namespace dctnet {

// The shape of a map. A row is `left` zero pixels, `width` pixels, `right` zero pixels; a pixel is
// `channels` floats. Of the `height` rows only the last `held` written ones are kept, in a ring.
struct Shape {
    int height, width, channels;
    int left = 0, right = 0;
    int held = 0;  // 0: all of them

    int rows() const { return held ? std::min(held, height) : height; }
    // An odd number of cache lines, so that the same pixels of successive rows lie in different
    // sets of the caches.
    std::size_t stride() const {
        const std::size_t floats = static_cast<std::size_t>(left + width + right) * channels;
        return ((floats + kFloatsALine - 1) / kFloatsALine | 1) * kFloatsALine;
    }
    // One row more than it holds: a row of zeros stands for all that lie above and below.
    std::size_t floats() const { return (rows() + 1) * stride(); }
};

// A view of a map in someone else's memory of shape.floats() floats.
class Map {
  public:
    Map() = default;
    Map(float* data, const Shape& shape)
        : shape_(shape),
          rows_(shape.rows()),
          stride_(shape.stride()),
          first_(data + static_cast<std::size_t>(shape.left) * shape.channels),
          zeros_(first_ + rows_ * stride_) {}

    // Zeroes what lies around the pixels. Once, before the first row is written.
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

    int height() const { return shape_.height; }
    int width() const { return shape_.width; }
    int channels() const { return shape_.channels; }

    // The first pixel of row y.
    float* row(int y) const {
        assert(0 <= y && y < shape_.height);
        return first_ + (y % rows_) * stride_;
    }
    // The same, for reading, where rows beyond the image are zero.
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
