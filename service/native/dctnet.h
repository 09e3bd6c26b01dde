/* C interface of dctnet's generator: DCT-Net's U-Net with its guided filter, uint8 to uint8.
 *
 * Functions return a dctnet_status and neither throw nor print. Any number of threads may use a model
 * at once, except while its weights are replaced. A scratch serves one call at a time. */
#ifndef DCTNET_H
#define DCTNET_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DCTNET_API __attribute__((visibility("default")))

/* Version of the interface; increased when a function or the order of the weights changes. */
#define DCTNET_VERSION 3

/* Image sides are multiples of DCTNET_SIDE_MULTIPLE and at most DCTNET_MAX_SIDE. */
#define DCTNET_SIDE_MULTIPLE 4
#define DCTNET_MAX_SIDE 8192
#define DCTNET_MAX_THREADS 64

typedef enum {
    DCTNET_OK = 0,
    DCTNET_BAD_ARGUMENT = 1, /* a null pointer, or a count out of range */
    DCTNET_BAD_WEIGHTS = 2,  /* the number of weights is not that of the network */
    DCTNET_BAD_SIZE = 3,     /* an image's side is not a multiple of 4, or too long */
    DCTNET_NO_MEMORY = 4
} dctnet_status;

typedef struct dctnet_model dctnet_model;
typedef struct dctnet_scratch dctnet_scratch;

/* Returns the DCTNET_VERSION of the library. */
DCTNET_API int dctnet_version(void);

/* Returns whether this CPU has the instructions that the library uses. */
DCTNET_API int dctnet_supported(void);

/* Returns the number of floats of a model's weights. */
DCTNET_API size_t dctnet_weight_count(void);

/* Creates a model from `count` float32 weights, as in the frozen graph: layer by layer, in the
 * order
 *
 *     Conv, Conv_1, Conv_2, Conv_3, Conv_4,
 *     block_0/conv1, block_0/conv2, ... block_3/conv1, block_3/conv2,
 *     Conv_5, Conv_6, Conv_7, Conv_8, Conv_9
 *
 * generator/<layer>/weights, [height][width][inputs][outputs], then generator/<layer>/biases.
 * `epsilon` is the guided filter's. The model keeps transformed copies of the weights. */
DCTNET_API dctnet_status dctnet_model_create(const float *weights, size_t count, float epsilon,
                                             dctnet_model **model);
/* Replaces the weights of a model that no thread uses, in its memory: it does not allocate. A
 * rejected call leaves the model unchanged. */
DCTNET_API dctnet_status dctnet_model_load(dctnet_model *model, const float *weights, size_t count,
                                           float epsilon);
DCTNET_API void dctnet_model_destroy(dctnet_model *model);

/* Memory of one call at a time. It grows to the size of the largest image. */
DCTNET_API dctnet_status dctnet_scratch_create(dctnet_scratch **scratch);
DCTNET_API void dctnet_scratch_destroy(dctnet_scratch *scratch);
/* Allocates and touches the memory for an image of this size and number of threads. */
DCTNET_API dctnet_status dctnet_scratch_reserve(dctnet_scratch *scratch, int height, int width,
                                                int threads);
/* Releases the memory to the system; the next call allocates it again. */
DCTNET_API void dctnet_scratch_trim(dctnet_scratch *scratch);
/* Returns the allocated bytes. */
DCTNET_API size_t dctnet_scratch_bytes(const dctnet_scratch *scratch);

/* Generates the cartoon of `image`: [height][width][3] bytes, BGR. `cartoon` has the same layout
 * and must not overlap it. `threads` threads compute it, including the caller's; the result is
 * bit-identical for any number of them. */
DCTNET_API dctnet_status dctnet_draw(const dctnet_model *model, dctnet_scratch *scratch,
                                     const uint8_t *image, uint8_t *cartoon, int height,
                                     int width, int threads);

/* Profile of the scratch's last call: DCTNET_STAGES wall-clock times in seconds, in the order of
 * the graph, and the names of the stages. */
#define DCTNET_STAGES 16
DCTNET_API void dctnet_profile(const dctnet_scratch *scratch, double *seconds);
DCTNET_API const char *dctnet_stage_name(int stage);

#ifdef __cplusplus
}
#endif

#endif
