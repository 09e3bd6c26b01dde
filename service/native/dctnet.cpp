// C interface: checks arguments and turns exceptions into a status.
#include "dctnet.h"

#include <algorithm>
#include <new>

#include "generator.h"

struct dctnet_model {
    dctnet::Generator generator;
};

struct dctnet_scratch {
    dctnet::Scratch scratch;
};

static_assert(DCTNET_STAGES == static_cast<int>(dctnet::Stage::kCount));

namespace {

bool is_valid_side(int side) {
    return 0 < side && side <= DCTNET_MAX_SIDE && side % DCTNET_SIDE_MULTIPLE == 0;
}

bool is_valid_thread_count(int threads) { return 1 <= threads && threads <= DCTNET_MAX_THREADS; }

}  // namespace

int dctnet_version() { return DCTNET_VERSION; }

size_t dctnet_weight_count() { return dctnet::Generator::weight_count(); }

dctnet_status dctnet_model_create(const float* weights, size_t count, float epsilon,
                                  dctnet_model** model) {
    if (!model) return DCTNET_BAD_ARGUMENT;
    *model = nullptr;
    if (!weights || !(epsilon > 0)) return DCTNET_BAD_ARGUMENT;
    if (count != dctnet::Generator::weight_count()) return DCTNET_BAD_WEIGHTS;
    try {
        *model = new dctnet_model;
    } catch (const std::bad_alloc&) {
        return DCTNET_NO_MEMORY;
    }
    return dctnet_model_load(*model, weights, count, epsilon);
}

dctnet_status dctnet_model_load(dctnet_model* model, const float* weights, size_t count,
                                float epsilon) {
    if (!model || !weights || !(epsilon > 0)) return DCTNET_BAD_ARGUMENT;
    if (count != dctnet::Generator::weight_count()) return DCTNET_BAD_WEIGHTS;
    model->generator.set_weights(weights, epsilon);
    return DCTNET_OK;
}

void dctnet_model_destroy(dctnet_model* model) { delete model; }

dctnet_status dctnet_scratch_create(dctnet_scratch** scratch) {
    if (!scratch) return DCTNET_BAD_ARGUMENT;
    *scratch = new (std::nothrow) dctnet_scratch;
    return *scratch ? DCTNET_OK : DCTNET_NO_MEMORY;
}

void dctnet_scratch_destroy(dctnet_scratch* scratch) { delete scratch; }

dctnet_status dctnet_scratch_reserve(dctnet_scratch* scratch, int height, int width,
                                     int threads) {
    if (!scratch || !is_valid_thread_count(threads)) return DCTNET_BAD_ARGUMENT;
    if (!is_valid_side(height) || !is_valid_side(width)) return DCTNET_BAD_SIZE;
    try {
        dctnet::Generator::reserve(height, width, threads, scratch->scratch);
    } catch (const std::bad_alloc&) {
        return DCTNET_NO_MEMORY;
    }
    return DCTNET_OK;
}

void dctnet_scratch_trim(dctnet_scratch* scratch) {
    if (scratch) scratch->scratch.trim();
}

size_t dctnet_scratch_bytes(const dctnet_scratch* scratch) {
    return scratch ? scratch->scratch.bytes() : 0;
}

dctnet_status dctnet_draw(const dctnet_model* model, dctnet_scratch* scratch,
                          const uint8_t* image, uint8_t* cartoon, int height, int width,
                          int threads) {
    if (!model || !scratch || !image || !cartoon) return DCTNET_BAD_ARGUMENT;
    if (!is_valid_thread_count(threads)) return DCTNET_BAD_ARGUMENT;
    if (!is_valid_side(height) || !is_valid_side(width)) return DCTNET_BAD_SIZE;
    try {
        model->generator.generate(image, cartoon, height, width, threads, scratch->scratch);
    } catch (const std::bad_alloc&) {
        return DCTNET_NO_MEMORY;
    }
    return DCTNET_OK;
}

void dctnet_profile(const dctnet_scratch* scratch, double* seconds) {
    if (scratch && seconds) std::ranges::copy(scratch->scratch.seconds, seconds);
}

const char* dctnet_stage_name(int stage) {
    static constexpr const char* kNames[DCTNET_STAGES] = {
        "normalise", "Conv",     "Conv_1", "Conv_2", "Conv_3",           "Conv_4",
        "blocks",    "Conv_5",   "resize", "Conv_6", "Conv_7",           "resize_1",
        "Conv_8",    "Conv_9",   "guided filter: model", "guided filter: pixels",
    };
    return 0 <= stage && stage < DCTNET_STAGES ? kNames[stage] : nullptr;
}
