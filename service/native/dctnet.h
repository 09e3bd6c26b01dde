/* The C interface of dctnet's generator: DCT-Net's U-Net with its guided filter, uint8 to uint8.
 *
 * Functions return a dctnet_status; none throws or prints. A model is immutable and may be used by
 * any number of threads at once; a scratch by one call at a time. */
#ifndef DCTNET_H
#define DCTNET_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DCTNET_API __attribute__((visibility("default")))

/* Raised when a function or the order of the weights changes. */
#define DCTNET_VERSION 2

/* Images: sides are multiples of the first and at most the second. */
#define DCTNET_SIDE_MULTIPLE 4
#define DCTNET_MAX_SIDE 8192
#define DCTNET_MAX_THREADS 64

typedef enum {
    DCTNET_OK = 0,
    DCTNET_BAD_ARGUMENT = 1, /* a null pointer, or a count out of range */
    DCTNET_BAD_WEIGHTS = 2,  /* not as many weights as the network has */
    DCTNET_BAD_SIZE = 3,     /* an image's side is no multiple of 4, or too long */
    DCTNET_NO_MEMORY = 4
} dctnet_status;

typedef struct dctnet_model dctnet_model;
typedef struct dctnet_scratch dctnet_scratch;

/* DCTNET_VERSION of the library. */
DCTNET_API int dctnet_version(void);

/* Whether this CPU has the instructions that the library was built for. */
DCTNET_API int dctnet_supported(void);

/* The floats of a model's weights. */
DCTNET_API size_t dctnet_weight_count(void);

/* Makes a model of `count` float32 weights, as the frozen graph holds them: layer by layer, in the
 * order
 *
 *     Conv, Conv_1, Conv_2, Conv_3, Conv_4,
 *     block_0/conv1, block_0/conv2, ... block_3/conv1, block_3/conv2,
 *     Conv_5, Conv_6, Conv_7, Conv_8, Conv_9
 *
 * generator/<layer>/weights, [height][width][inputs][outputs], then generator/<layer>/biases.
 * `epsilon` is the guided filter's. The weights are transformed into memory of the model's own. */
DCTNET_API dctnet_status dctnet_model_create(const float *weights, size_t count, float epsilon,
                                             dctnet_model **model);
DCTNET_API void dctnet_model_destroy(dctnet_model *model);

/* The memory of one call at a time. It grows to what the largest image needed. */
DCTNET_API dctnet_status dctnet_scratch_create(dctnet_scratch **scratch);
DCTNET_API void dctnet_scratch_destroy(dctnet_scratch *scratch);
/* Takes the memory that an image of this size needs on so many threads, page by page. */
DCTNET_API dctnet_status dctnet_scratch_reserve(dctnet_scratch *scratch, int height, int width,
                                                int threads);
/* Gives the memory back to the system; the next call takes it again. */
DCTNET_API void dctnet_scratch_trim(dctnet_scratch *scratch);
/* The bytes it holds. */
DCTNET_API size_t dctnet_scratch_bytes(const dctnet_scratch *scratch);

/* Draws the cartoon of `image`: [height][width][3] bytes, BGR. `cartoon` has the same form and
 * may not overlap it. `threads` threads compute it, the caller's among them; the answer is the
 * same, bit for bit, for any number of them. */
DCTNET_API dctnet_status dctnet_draw(const dctnet_model *model, dctnet_scratch *scratch,
                                     const uint8_t *image, uint8_t *cartoon, int height,
                                     int width, int threads);

/* Where the time of the scratch's last call went: DCTNET_STAGES wall-clock times in seconds, in the
 * order of the graph, and their names. */
#define DCTNET_STAGES 16
DCTNET_API void dctnet_profile(const dctnet_scratch *scratch, double *seconds);
DCTNET_API const char *dctnet_stage_name(int stage);

#ifdef __cplusplus
}
#endif

#endif
