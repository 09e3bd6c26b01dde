// Whether the processor can run the rest. This file is compiled without its instructions.
#include "dctnet.h"

int dctnet_supported() {
#ifdef DCTNET_X86_64_LEVEL
    return __builtin_cpu_supports(DCTNET_X86_64_LEVEL) != 0;
#else
    return 1;  // Every processor of the architecture can.
#endif
}
