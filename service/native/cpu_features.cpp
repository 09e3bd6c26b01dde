// CPU feature detection, compiled without the instructions that it detects.
#include "dctnet.h"

#ifdef DCTNET_X86_64_LEVEL
#include <cpuid.h>

namespace {

// Uses cpuid, because __builtin_cpu_supports does not work with zig's runtime library.
struct Registers {
    unsigned eax, ebx, ecx, edx;
};

// Returns zeros if the CPU does not have the leaf.
Registers cpuid(unsigned leaf) {
    Registers found{};
    __get_cpuid_count(leaf, 0, &found.eax, &found.ebx, &found.ecx, &found.edx);
    return found;
}

// Register state that the system saves on context switches (XCR0).
unsigned enabled_register_state() {
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

bool all(unsigned wanted, unsigned found) { return (found & wanted) == wanted; }

bool is_level_3() {
    constexpr unsigned kSseAndAvx = 0x06;
    return all(bit_FMA | bit_MOVBE | bit_OSXSAVE | bit_AVX | bit_F16C, cpuid(1).ecx) &&
           all(bit_BMI | bit_AVX2 | bit_BMI2, cpuid(7).ebx) &&
           all(bit_LZCNT, cpuid(0x80000001).ecx) && all(kSseAndAvx, enabled_register_state());
}

bool is_level_4() {
    constexpr unsigned kAvx512 = 0xe0;
    return is_level_3() &&
           all(bit_AVX512F | bit_AVX512DQ | bit_AVX512CD | bit_AVX512BW | bit_AVX512VL,
               cpuid(7).ebx) &&
           all(kAvx512, enabled_register_state());
}

}  // namespace

int dctnet_supported() { return DCTNET_X86_64_LEVEL == 3 ? is_level_3() : is_level_4(); }

#else

int dctnet_supported() { return 1; }  // Every CPU of this architecture is supported.

#endif
