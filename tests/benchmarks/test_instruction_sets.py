"""Instruction sets in the logs of oneDNN and OpenBLAS."""

import platform

import pytest

from benchmarks.instruction_sets import NOT_REPORTED, in_onednn_log, sgemm_instruction_set

HEAD = """\
onednn_verbose,v1,info,oneDNN v3.7.3 (commit N/A)
onednn_verbose,v1,info,cpu,runtime:threadpool,nthr:1
onednn_verbose,v1,info,cpu,isa:Intel AVX2
"""

CREATED = "onednn_verbose,v1,primitive,create:cache_miss,cpu,"
EXECUTED = "onednn_verbose,v1,primitive,exec,cpu,"
CORE_TYPES = {"x86_64": "Haswell", "aarch64": "ARMV8"}


@pytest.mark.parametrize(
    ("log", "instruction_set"),
    [
        ("", NOT_REPORTED),
        (HEAD, NOT_REPORTED),
        (f"{HEAD}{EXECUTED}reorder,jit:uni,undef,src\n", NOT_REPORTED),
        (f"{HEAD}{EXECUTED}gemm_api,,undef,src\n", "`gemm` of oneDNN: Intel AVX2"),
        (
            HEAD
            + "".join(
                f"{CREATED}convolution,{kernel}:avx2,forward_inference,src\n"
                for kernel in ("brg_conv_fwd", "brdgmm_dw", "brg_conv_fwd")
            ),
            "`brdgmm_dw:avx2`, `brg_conv_fwd:avx2`",
        ),
        (
            f"{HEAD}{EXECUTED}convolution,brg_conv_fwd:avx512_core_bf16,forward_inference,src\n",
            "`brg_conv_fwd:avx512_core_bf16`",
        ),
    ],
)
def test_instruction_set_in_a_log_of_onednn(log, instruction_set):
    assert in_onednn_log(log) == instruction_set


def test_sgemm_reports_the_core_type_of_openblas():
    core_type = CORE_TYPES[platform.machine()]
    reported = sgemm_instruction_set({"OPENBLAS_CORETYPE": core_type})
    assert f"core type `{core_type}`".casefold() in reported.casefold()
