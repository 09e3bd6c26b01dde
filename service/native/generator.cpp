#include "generator.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "feature_map.h"
#include "guided_filter.h"
#include "pixels.h"
#include "plan.h"
#include "resize.h"
#include "team.h"

namespace dctnet {
namespace {

// Most layers process the image in bands of rows, so that a layer reads from the cache what the
// previous one wrote. A layer lags behind the previous one by the rows that it reads below and by
// incomplete tiles; the rings between them hold a band plus this lag. The skip at full size would be half of all memory; it is computed again for the
// last layers, which costs 3 percent of the time.
constexpr int kBand = 24;
constexpr int kBlockBand = 48;
constexpr int kLag = 16;

// Number of rows that a layer can write after the previous one has written `available` rows: all,
// or whole tiles whose lowest row reads `reach` rows below.
int rows_ready(int available, int height, int reach, int tile) {
    if (available == height) return height;
    return std::max(available - reach, 0) / tile * tile;
}

int tiles(int rows, int tile) { return (rows + tile - 1) / tile; }

// Steps of a call, for the lifetimes of the maps.
enum Step { kDown, kDown2, kDown3, kDown4, kBody, kBody5, kUpHalf, kUpFull };

struct FeatureMaps {
    FeatureMap image;          // normalised
    FeatureMap full;           // Conv: a ring
    FeatureMap half_down;      // Conv_1
    FeatureMap half;           // Conv_2, the skip at half size; plus the enlarged map
    FeatureMap quarter_down;   // Conv_3
    FeatureMap body;           // Conv_4, then each block
    FeatureMap branch;         // conv1 of a block: a ring
    FeatureMap quarter_up;     // Conv_5
    FeatureMap half_up;        // Conv_6: a ring
    FeatureMap half_out;       // Conv_7: in the memory of `half`
    FeatureMap full_skip;      // Conv again, plus the enlarged map: a ring
    FeatureMap full_up;        // Conv_8: a ring
    FeatureMap cartoon;        // Conv_9: a ring
    FeatureMap slope, offset;  // models of the guided filter: rings
};

class Plan {
  public:
    Plan(int height, int width) {
        const auto shape = [&](int part, int channels) {
            return Shape{height / part, width / part, channels};
        };
        const auto for_winograd = [](Shape shape) {
            shape.left = WinogradConv::kLeft;
            shape.right = WinogradConv::right(shape.width);
            return shape;
        };
        const auto for_strided = [](Shape shape) {
            shape.left = StridedConv::kLeft;
            shape.right = StridedConv::right(shape.width);
            return shape;
        };
        const auto for_filter = [](Shape shape) {
            shape.left = kGuidedLeft;
            shape.right = kGuidedRight;
            return shape;
        };
        const auto ring = [](Shape shape, int band = kBand) {
            shape.held = band + kLag;
            return shape;
        };
        Shape image = shape(1, 3);
        image.left = FirstConv::kLeft;
        image.right = FirstConv::right(width);
        Shape half = for_winograd(shape(2, 2 * kChannels));
        half.right = std::max(half.right, StridedConv::right(half.width));
        Shape full_up = ring(shape(1, kChannels));
        full_up.left = LastConv::kLeft;
        full_up.right = LastConv::right(width);

        add(&FeatureMaps::image, image, kDown, kUpFull);
        add(&FeatureMaps::full, ring(for_strided(shape(1, kChannels))), kDown, kDown);
        add(&FeatureMaps::half_down, for_winograd(shape(2, kChannels)), kDown, kDown2);
        add(&FeatureMaps::half, half, kDown2, kUpFull);
        add(&FeatureMaps::quarter_down, for_winograd(shape(4, 2 * kChannels)), kDown3, kDown4);
        add(&FeatureMaps::body, for_winograd(shape(4, 4 * kChannels)), kDown4, kBody5);
        add(&FeatureMaps::branch, ring(for_winograd(shape(4, 4 * kChannels)), kBlockBand), kBody,
            kBody);
        add(&FeatureMaps::quarter_up, shape(4, 2 * kChannels), kBody5, kUpHalf);
        add(&FeatureMaps::half_up, ring(for_winograd(shape(2, 2 * kChannels))), kUpHalf, kUpHalf);
        add(&FeatureMaps::full_skip, ring(for_winograd(shape(1, kChannels))), kUpFull, kUpFull);
        add(&FeatureMaps::full_up, full_up, kUpFull, kUpFull);
        add(&FeatureMaps::cartoon, ring(for_filter(shape(1, 3))), kUpFull, kUpFull);
        add(&FeatureMaps::slope, ring(for_filter(shape(1, 3))), kUpFull, kUpFull);
        add(&FeatureMaps::offset, ring(for_filter(shape(1, 3))), kUpFull, kUpFull);
        floats_ = assign_offsets(planned_);
    }

    std::size_t floats() const { return floats_; }

    FeatureMaps in(float* memory) const {
        FeatureMaps maps;
        for (std::size_t i = 0; i < planned_.size(); ++i)
            maps.*members_[i] = FeatureMap(memory + planned_[i].offset, planned_[i].shape);
        // Conv_7 writes rows that Conv_6 has read.
        maps.half_out = maps.half.narrowed(kChannels);
        return maps;
    }

  private:
    void add(FeatureMap FeatureMaps::*member, const Shape& shape, Step first, Step last) {
        members_.push_back(member);
        planned_.push_back({shape, first, last});
    }

    std::vector<FeatureMap FeatureMaps::*> members_;
    std::vector<PlannedMap> planned_;
    std::size_t floats_ = 0;
};

// Floats of scratch memory for each thread of a team.
std::size_t scratch_floats_per_thread(int width) {
    return round_up(std::max({WinogradConv::scratch(), FirstConv::scratch(), LastConv::scratch(),
                              guided_scratch(width)}),
                    kFloatsPerCacheLine);
}

class Stopwatch {
  public:
    explicit Stopwatch(Scratch& scratch) : scratch_(scratch) {}

    void lap(Stage stage) {
        const auto now = std::chrono::steady_clock::now();
        const std::chrono::duration<double> taken = now - last_;
        scratch_.seconds[static_cast<std::size_t>(stage)] += taken.count();
        last_ = now;
    }

  private:
    Scratch& scratch_;
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace

float* Scratch::take(std::size_t count) {
    if (count > capacity_) {
        trim();
        memory_ = allocate(count);
        capacity_ = count;
    }
    return memory_.get();
}

void Scratch::trim() {
    memory_.reset();
    capacity_ = 0;
}

std::size_t Generator::weight_count() {
    const auto count = [](std::size_t side, std::size_t inputs, std::size_t outputs) {
        return side * side * inputs * outputs + outputs;
    };
    constexpr std::size_t c = kChannels;
    return count(7, 3, c) + count(3, c, c) + count(3, c, 2 * c) + count(3, 2 * c, 2 * c) +
           count(3, 2 * c, 4 * c) + 2 * kBlocks * count(3, 4 * c, 4 * c) +
           count(3, 4 * c, 2 * c) + count(3, 2 * c, 2 * c) + count(3, 2 * c, c) +
           count(3, c, c) + count(7, c, 3);
}

void Generator::set_weights(const float* weights, float epsilon) {
    const auto set = [&](auto& conv, int side, int inputs, int outputs) {
        const float* kernel = std::exchange(weights, weights + side * side * inputs * outputs);
        conv.set_weights(kernel, std::exchange(weights, weights + outputs));
    };
    constexpr int c = kChannels;
    set(conv_, 7, 3, c);
    set(conv1_, 3, c, c);
    set(conv2_, 3, c, 2 * c);
    set(conv3_, 3, 2 * c, 2 * c);
    set(conv4_, 3, 2 * c, 4 * c);
    for (Block& block : blocks_) {
        set(block.conv1, 3, 4 * c, 4 * c);
        set(block.conv2, 3, 4 * c, 4 * c);
    }
    set(conv5_, 3, 4 * c, 2 * c);
    set(conv6_, 3, 2 * c, 2 * c);
    set(conv7_, 3, 2 * c, c);
    set(conv8_, 3, c, c);
    set(conv9_, 7, c, 3);
    epsilon_ = epsilon;
}

void Generator::reserve(int height, int width, int threads, Scratch& scratch) {
    constexpr std::size_t kFloatsPerPage = 4096 / sizeof(float);
    const std::size_t count =
        Plan(height, width).floats() + threads * scratch_floats_per_thread(width);
    float* memory = scratch.take(count);
    // The system allocates a page when it is written.
    for (std::size_t i = 0; i < count; i += kFloatsPerPage) memory[i] = 0;
}

void Generator::generate(const std::uint8_t* image, std::uint8_t* cartoon, int height, int width,
                         int threads, Scratch& scratch) const {
    const Plan plan(height, width);
    const std::size_t thread_floats = scratch_floats_per_thread(width);
    float* memory = scratch.take(plan.floats() + threads * thread_floats);
    const FeatureMaps maps = plan.in(memory);
    scratch.seconds.fill(0);

    Team team(threads);
    team.run([&](int member) {
        float* thread_scratch = memory + plan.floats() + member * thread_floats;
        Stopwatch stopwatch(scratch);
        const auto run_items = [&](Stage stage, int count, const auto& item) {
            team.run_items(count, item);
            if (member == 0) stopwatch.lap(stage);
        };
        // Padding is written during the step that writes the pixels, and read by a later step.
        const auto begin = [&](const FeatureMap& map) {
            if (member == 0) map.clear_padding();
        };
        const auto winograd = [&](Stage stage, const WinogradConv& conv, const FeatureMap& input,
                                  const FeatureMap& output, WinogradConv::After after, int from,
                                  int to) {
            const int first = from / WinogradConv::kTile, end = tiles(to, WinogradConv::kTile);
            const int count = WinogradConv::items(input, first, end, threads);
            run_items(stage, count, [&](int item) {
                conv.compute(input, output, after, first, end, item, count, thread_scratch);
            });
        };
        constexpr auto kLeaky = WinogradConv::After::kLeakyRelu;
        constexpr auto kResidual = WinogradConv::After::kAddResidual;

        begin(maps.image);
        run_items(Stage::kNormalise, height, [&](int y) {
            normalise(image + std::size_t(3) * width * y, 3 * width, maps.image.row(y));
        });
        const auto first_layer = [&](const FeatureMap& output, int from, int to) {
            const int first = from / FirstConv::kTileRows, end = tiles(to, FirstConv::kTileRows);
            run_items(Stage::kConv, FirstConv::items(output, first, end), [&](int item) {
                conv_.compute(maps.image, output, first, item, thread_scratch);
            });
        };
        begin(maps.full);
        begin(maps.half_down);
        for (int full = 0, down = 0; down < height / 2;) {
            const int full_from = std::exchange(full, std::min(full + kBand, height));
            first_layer(maps.full, full_from, full);
            const int down_from = std::exchange(down, rows_ready(full, height, 1, 2) / 2);
            run_items(Stage::kConv1, down - down_from,
                  [&](int i) { conv1_.compute(maps.full, maps.half_down, down_from + i); });
        }
        begin(maps.half);
        winograd(Stage::kConv2, conv2_, maps.half_down, maps.half, kLeaky, 0, height / 2);
        begin(maps.quarter_down);
        run_items(Stage::kConv3, maps.quarter_down.height(),
              [&](int y) { conv3_.compute(maps.half, maps.quarter_down, y); });
        begin(maps.body);
        winograd(Stage::kConv4, conv4_, maps.quarter_down, maps.body, kLeaky, 0, height / 4);
        begin(maps.branch);
        // conv2 replaces rows of `body` that conv1 has read.
        for (const Block& block : blocks_) {
            for (int mid = 0, out = 0; out < height / 4;) {
                const int mid_from = std::exchange(mid, std::min(mid + kBlockBand, height / 4));
                winograd(Stage::kBlocks, block.conv1, maps.body, maps.branch, kLeaky, mid_from, mid);
                const int out_from =
                    std::exchange(out, rows_ready(mid, height / 4, 1, WinogradConv::kTile));
                winograd(Stage::kBlocks, block.conv2, maps.branch, maps.body, kResidual, out_from,
                         out);
            }
        }
        winograd(Stage::kConv5, conv5_, maps.body, maps.quarter_up, kLeaky, 0, height / 4);

        begin(maps.half_up);
        for (int sum = 0, up = 0, out = 0; out < height / 2;) {
            const int sum_from = std::exchange(sum, std::min(sum + kBand, height / 2));
            run_items(Stage::kResize, sum - sum_from, [&](int i) {
                upsample_add(maps.quarter_up, maps.half, sum_from + i);
            });
            const int up_from =
                std::exchange(up, rows_ready(sum, height / 2, 1, WinogradConv::kTile));
            winograd(Stage::kConv6, conv6_, maps.half, maps.half_up, kLeaky, up_from, up);
            const int out_from =
                std::exchange(out, rows_ready(up, height / 2, 1, WinogradConv::kTile));
            winograd(Stage::kConv7, conv7_, maps.half_up, maps.half_out, kLeaky, out_from, out);
        }

        begin(maps.full_skip);
        begin(maps.full_up);
        begin(maps.cartoon);
        begin(maps.slope);
        begin(maps.offset);
        for (int sum = 0, up = 0, conv9 = 0, model = 0, out = 0; out < height;) {
            const int sum_from = std::exchange(sum, std::min(sum + kBand, height));
            first_layer(maps.full_skip, sum_from, sum);
            run_items(Stage::kResize1, sum - sum_from, [&](int i) {
                upsample_add(maps.half_out, maps.full_skip, sum_from + i);
            });
            const int up_from = std::exchange(up, rows_ready(sum, height, 1, WinogradConv::kTile));
            winograd(Stage::kConv8, conv8_, maps.full_skip, maps.full_up, kLeaky, up_from, up);
            const int conv9_from =
                std::exchange(conv9, rows_ready(up, height, 3, LastConv::kTileRows));
            const int first = conv9_from / LastConv::kTileRows;
            run_items(Stage::kConv9,
                  LastConv::items(maps.cartoon, first, tiles(conv9, LastConv::kTileRows)),
                  [&](int item) {
                      conv9_.compute(maps.full_up, maps.cartoon, first, item, thread_scratch);
                  });
            const int model_from = std::exchange(model, rows_ready(conv9, height, 1, 1));
            run_items(Stage::kGuidedModel, model - model_from, [&](int i) {
                guided_model(maps.image, maps.cartoon, epsilon_, maps.slope, maps.offset,
                             model_from + i, thread_scratch);
            });
            const int out_from = std::exchange(out, rows_ready(model, height, 1, 1));
            run_items(Stage::kGuidedPixels, out - out_from, [&](int i) {
                const int y = out_from + i;
                guided_pixels(maps.image, maps.slope, maps.offset, y,
                              cartoon + std::size_t(3) * width * y, thread_scratch);
            });
        }
    });
}

}  // namespace dctnet
