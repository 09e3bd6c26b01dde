// One C function for each type of layer, for tests/native; arrays have TensorFlow's layouts.
#include <cstring>

#include "../conv3x3_strided.h"
#include "../conv3x3_winograd.h"
#include "../conv7x7_first.h"
#include "../conv7x7_last.h"
#include "../guided_filter.h"
#include "../pixels.h"
#include "../resize.h"

namespace {

using namespace dctnet;

#define EXPORT extern "C" __attribute__((visibility("default")))

// Threads that share a layer's items, here one after the other: some items are empty.
constexpr int kThreads = 5;

// A feature map that owns its memory.
struct OwnedFeatureMap {
    AlignedFloats memory;
    FeatureMap map;

    explicit OwnedFeatureMap(const Shape& shape)
        : memory(allocate(shape.floats())), map(memory.get(), shape) {
        map.clear_padding();
    }
    OwnedFeatureMap(const Shape& shape, const float* values) : OwnedFeatureMap(shape) {
        const std::size_t row = static_cast<std::size_t>(shape.width) * shape.channels;
        for (int y = 0; y < shape.height; ++y)
            std::memcpy(map.row(y), values + y * row, row * sizeof(float));
    }
    void copy_to(float* values) const {
        const std::size_t row = static_cast<std::size_t>(map.width()) * map.channels();
        for (int y = 0; y < map.height(); ++y)
            std::memcpy(values + y * row, map.row(y), row * sizeof(float));
    }
};

}  // namespace

EXPORT void layer_normalise(const std::uint8_t* pixels, int count, float* values) {
    normalise(pixels, count, values);
}

EXPORT void layer_conv3x3(const float* x, int height, int width, int inputs, int outputs,
                          const float* weights, const float* bias, const float* residual,
                          float* y) {
    WinogradConv conv(inputs, outputs);
    conv.set_weights(weights, bias);
    const OwnedFeatureMap input({height, width, inputs, WinogradConv::kLeft,
                                WinogradConv::right(width)}, x);
    const Shape shape{height, width, outputs};
    const OwnedFeatureMap output = residual ? OwnedFeatureMap(shape,
                                                              residual) : OwnedFeatureMap(shape);
    const AlignedFloats scratch = allocate(WinogradConv::scratch());
    const int rows = (height + WinogradConv::kTile - 1) / WinogradConv::kTile;
    const auto after =
        residual ? WinogradConv::After::kAddResidual : WinogradConv::After::kLeakyRelu;
    const int items = WinogradConv::items(input.map, 0, rows, kThreads);
    for (int item = 0; item < items; ++item)
        conv.compute(input.map, output.map, after, 0, rows, item, items, scratch.get());
    output.copy_to(y);
}

EXPORT void layer_conv3x3_strided(const float* x, int height, int width, int channels,
                                  const float* weights, const float* bias, float* y) {
    StridedConv conv(channels);
    conv.set_weights(weights, bias);
    const OwnedFeatureMap input({height, width, channels, StridedConv::kLeft,
                                StridedConv::right(width)}, x);
    const OwnedFeatureMap output({height / 2, width / 2, channels});
    for (int row = 0; row < height / 2; ++row) conv.compute(input.map, output.map, row);
    output.copy_to(y);
}

EXPORT void layer_conv7x7_first(const float* x, int height, int width, const float* weights,
                                const float* bias, float* y) {
    FirstConv conv;
    conv.set_weights(weights, bias);
    const OwnedFeatureMap input({height, width, 3, FirstConv::kLeft, FirstConv::right(width)}, x);
    const OwnedFeatureMap output({height, width, FirstConv::kOutputs});
    const AlignedFloats scratch = allocate(FirstConv::scratch());
    const int rows = (height + FirstConv::kTileRows - 1) / FirstConv::kTileRows;
    for (int item = 0; item < FirstConv::items(output.map, 0, rows); ++item)
        conv.compute(input.map, output.map, 0, item, scratch.get());
    output.copy_to(y);
}

EXPORT void layer_conv7x7_last(const float* x, int height, int width, const float* weights,
                               const float* bias, float* y) {
    LastConv conv;
    conv.set_weights(weights, bias);
    const OwnedFeatureMap input(
        {height, width, LastConv::kInputs, LastConv::kLeft, LastConv::right(width)}, x);
    const OwnedFeatureMap output({height, width, LastConv::kOutputs});
    const AlignedFloats scratch = allocate(LastConv::scratch());
    const int rows = (height + LastConv::kTileRows - 1) / LastConv::kTileRows;
    for (int item = 0; item < LastConv::items(output.map, 0, rows); ++item)
        conv.compute(input.map, output.map, 0, item, scratch.get());
    output.copy_to(y);
}

EXPORT void layer_upsample_add(const float* low, const float* skip, int height, int width,
                               int channels, float* y) {
    const OwnedFeatureMap small({height / 2, width / 2, channels}, low);
    const OwnedFeatureMap large({height, width, channels}, skip);
    for (int row = 0; row < height; ++row) upsample_add(small.map, large.map, row);
    large.copy_to(y);
}

EXPORT void layer_guided_filter(const float* guide, const float* target, int height, int width,
                                float epsilon, std::uint8_t* pixels) {
    const Shape shape{height, width, 3, kGuidedLeft, kGuidedRight};
    const OwnedFeatureMap x(shape, guide), t(shape, target), slope(shape), offset(shape);
    const AlignedFloats scratch = allocate(guided_scratch(width));
    for (int y = 0; y < height; ++y)
        guided_model(x.map, t.map, epsilon, slope.map, offset.map, y, scratch.get());
    for (int y = 0; y < height; ++y)
        guided_pixels(x.map, slope.map, offset.map, y,
                      pixels + static_cast<std::size_t>(3) * width * y, scratch.get());
}
