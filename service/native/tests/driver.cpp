// Tests the C interface without Python, for sanitizers and other CPUs: random weights, images of
// small and odd sizes, bit-identical results for several thread counts and for replaced weights,
// rejection of wrong arguments. `driver write FILE` saves the cartoons, `driver compare FILE` of
// another build or CPU compares its own with them.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string_view>
#include <thread>
#include <vector>

#include "dctnet.h"

namespace {

void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "The driver expected that %s.\n", what);
    std::exit(1);
}

constexpr int kSizes[][2] = {{4, 4},   {4, 100}, {100, 4}, {16, 16}, {20, 28},
                             {36, 60}, {64, 48}, {80, 32}, {96, 48}, {100, 200}};

// Raw bits of the generator, because distributions differ between C++ libraries.
std::vector<float> random_weights(std::mt19937& random) {
    // Small enough for any layer, so that no cartoon is all black or white.
    constexpr float kScale = 0.07f * 0x1p-31f;
    std::vector<float> weights(dctnet_weight_count());
    for (float& weight : weights) weight = kScale * static_cast<std::int32_t>(random());
    return weights;
}

std::vector<std::uint8_t> random_image(std::mt19937& random, int height, int width) {
    std::vector<std::uint8_t> image(static_cast<std::size_t>(height) * width * 3);
    for (std::uint8_t& value : image) value = static_cast<std::uint8_t>(random() >> 24);
    return image;
}

class Scratch {
  public:
    Scratch() {
        require(dctnet_scratch_create(&scratch_) == DCTNET_OK, "a scratch can be created");
    }
    ~Scratch() { dctnet_scratch_destroy(scratch_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    operator dctnet_scratch*() const { return scratch_; }

  private:
    dctnet_scratch* scratch_ = nullptr;
};

std::vector<std::uint8_t> generate(const dctnet_model* model, dctnet_scratch* scratch,
                                   const std::vector<std::uint8_t>& image, int height, int width,
                                   int threads) {
    std::vector<std::uint8_t> cartoon(image.size());
    require(dctnet_draw(model, scratch, image.data(), cartoon.data(), height, width, threads) ==
                DCTNET_OK,
            "a cartoon can be generated");
    return cartoon;
}

void test_results_do_not_depend_on_threads(const dctnet_model* model, std::mt19937& random) {
    const Scratch scratch, fresh;
    for (const auto& [height, width] : kSizes) {
        const auto image = random_image(random, height, width);
        const auto one = generate(model, scratch, image, height, width, 1);
        for (const int threads : {2, 3, 8})
            require(generate(model, scratch, image, height, width, threads) == one,
                    "the result does not depend on the number of threads");
        dctnet_scratch_trim(fresh);
        require(dctnet_scratch_bytes(fresh) == 0, "a trimmed scratch has no memory");
        require(generate(model, fresh, image, height, width, 1) == one,
                "the result does not depend on the scratch's earlier contents");
    }
}

void test_concurrent_calls_share_a_model(const dctnet_model* model, std::mt19937& random) {
    constexpr int kHeight = 64, kWidth = 80;
    const auto image = random_image(random, kHeight, kWidth);
    const Scratch scratch;
    const auto alone = generate(model, scratch, image, kHeight, kWidth, 1);
    std::vector<std::thread> slots;
    for (int slot = 0; slot < 3; ++slot)
        slots.emplace_back([&, threads = 1 + slot] {
            const Scratch own;
            for (int i = 0; i < 3; ++i)
                require(generate(model, own, image, kHeight, kWidth, threads) == alone,
                        "concurrent calls do not affect each other");
        });
    for (std::thread& slot : slots) slot.join();
}

// Replaces the weights of a model, and then puts the first ones back.
void test_loaded_weights_equal_those_of_a_new_model(dctnet_model* model,
                                                    const std::vector<float>& weights,
                                                    std::mt19937& random) {
    constexpr int kHeight = 36, kWidth = 60;
    const auto image = random_image(random, kHeight, kWidth);
    const auto others = random_weights(random);
    dctnet_model* created = nullptr;
    require(dctnet_model_create(others.data(), others.size(), 0.01f, &created) == DCTNET_OK,
            "a second model can be created");
    const Scratch scratch;
    const auto cartoon = [&](const dctnet_model* any) {
        return generate(any, scratch, image, kHeight, kWidth, 1);
    };
    const auto first = cartoon(model), second = cartoon(created);
    require(first != second, "cartoons depend on the weights");
    require(dctnet_model_load(model, others.data(), others.size(), 0.01f) == DCTNET_OK,
            "other weights can be loaded");
    require(cartoon(model) == second, "loaded weights equal those of a new model");
    require(dctnet_model_load(model, weights.data(), weights.size() - 1, 0.005f) ==
                DCTNET_BAD_WEIGHTS,
            "loading too few weights is rejected");
    require(dctnet_model_load(model, nullptr, weights.size(), 0.005f) == DCTNET_BAD_ARGUMENT,
            "loading null weights is rejected");
    require(dctnet_model_load(model, weights.data(), weights.size(), 0) == DCTNET_BAD_ARGUMENT,
            "loading an epsilon of zero is rejected");
    require(dctnet_model_load(nullptr, weights.data(), weights.size(), 0.005f) ==
                DCTNET_BAD_ARGUMENT,
            "loading into a null model is rejected");
    require(cartoon(model) == second, "a rejected call leaves the model unchanged");
    require(dctnet_model_load(model, weights.data(), weights.size(), 0.005f) == DCTNET_OK,
            "the first weights can be loaded again");
    require(cartoon(model) == first, "weights that are loaded again give the same cartoon");
    dctnet_model_destroy(created);
}

void test_wrong_arguments_are_rejected(const dctnet_model* model,
                                       const std::vector<float>& weights) {
    dctnet_model* none = nullptr;
    require(dctnet_model_create(nullptr, weights.size(), 0.005f, &none) == DCTNET_BAD_ARGUMENT,
            "null weights are rejected");
    require(dctnet_model_create(weights.data(), weights.size(), 0.005f, nullptr) ==
                DCTNET_BAD_ARGUMENT,
            "a null model pointer is rejected");
    require(dctnet_model_create(weights.data(), weights.size() - 1, 0.005f, &none) ==
                DCTNET_BAD_WEIGHTS,
            "too few weights are rejected");
    require(dctnet_model_create(weights.data(), weights.size(), NAN, &none) == DCTNET_BAD_ARGUMENT,
            "a NaN epsilon is rejected");
    require(none == nullptr, "a rejected call creates no model");
    require(dctnet_scratch_create(nullptr) == DCTNET_BAD_ARGUMENT,
            "a null scratch pointer is rejected");

    const Scratch scratch;
    std::vector<std::uint8_t> image(16 * 16 * 3), cartoon(image.size());
    const auto status = [&](int height, int width, int threads) {
        return dctnet_draw(model, scratch, image.data(), cartoon.data(), height, width, threads);
    };
    require(status(16, 16, 1) == DCTNET_OK, "16 by 16 is accepted");
    for (const int side : {0, -16, 2, 15, 18, DCTNET_MAX_SIDE + DCTNET_SIDE_MULTIPLE}) {
        require(status(side, 16, 1) == DCTNET_BAD_SIZE, "a wrong height is rejected");
        require(status(16, side, 1) == DCTNET_BAD_SIZE, "a wrong width is rejected");
    }
    for (const int threads : {0, -1, DCTNET_MAX_THREADS + 1})
        require(status(16, 16, threads) == DCTNET_BAD_ARGUMENT, "a wrong thread count is rejected");
    require(dctnet_draw(nullptr, scratch, image.data(), cartoon.data(), 16, 16, 1) ==
                DCTNET_BAD_ARGUMENT,
            "a null model is rejected");
    require(dctnet_draw(model, nullptr, image.data(), cartoon.data(), 16, 16, 1) ==
                DCTNET_BAD_ARGUMENT,
            "a null scratch is rejected");
}

std::vector<std::uint8_t> generate_all(const dctnet_model* model, std::mt19937& random) {
    const Scratch scratch;
    std::vector<std::uint8_t> cartoons;
    for (const auto& [height, width] : kSizes) {
        const auto image = random_image(random, height, width);
        const auto cartoon = generate(model, scratch, image, height, width, 2);
        cartoons.insert(cartoons.end(), cartoon.begin(), cartoon.end());
    }
    return cartoons;
}

void save(const std::vector<std::uint8_t>& cartoons, const char* path) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(cartoons.data()),
               static_cast<std::streamsize>(cartoons.size()));
    require(file.flush().good(), "the file can be written");
}

void compare(const std::vector<std::uint8_t>& cartoons, const char* path) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<std::uint8_t> others{std::istreambuf_iterator<char>(file), {}};
    require(others.size() == cartoons.size(), "both builds generate equally many values");
    std::size_t different = 0, inner = 0;
    for (std::size_t i = 0; i < cartoons.size(); ++i) {
        const int levels = std::abs(cartoons[i] - others[i]);
        require(levels <= 1, "values differ by at most one level");
        different += levels;
        inner += cartoons[i] != 0 && cartoons[i] != 255;
    }
    require(inner > cartoons.size() / 2, "the cartoons are neither black nor white");
    std::printf("%zu of %zu values differ by one level, the others are equal.\n", different,
                cartoons.size());
}

}  // namespace

int main(int count, char** arguments) {
    require(dctnet_version() == DCTNET_VERSION, "header and library have the same version");
    if (!dctnet_supported()) {
        std::puts("This CPU lacks instructions that the driver needs.");
        return count == 3;
    }
    std::mt19937 random(1);
    const std::vector<float> weights = random_weights(random);
    dctnet_model* model = nullptr;
    require(dctnet_model_create(weights.data(), weights.size(), 0.005f, &model) == DCTNET_OK,
            "a model can be created");
    if (count == 3) {
        const auto cartoons = generate_all(model, random);
        const bool write = std::string_view(arguments[1]) == "write";
        (write ? save : compare)(cartoons, arguments[2]);
        dctnet_model_destroy(model);
        return 0;
    }
    test_results_do_not_depend_on_threads(model, random);
    test_concurrent_calls_share_a_model(model, random);
    test_loaded_weights_equal_those_of_a_new_model(model, weights, random);
    test_wrong_arguments_are_rejected(model, weights);
    dctnet_model_destroy(model);
    std::puts("All driver tests passed.");
}
