"""From the words of a library to what to do about it."""

from __future__ import annotations

import re

_INSTALL = "install requirements/server.txt into this environment again (in an image: use the published one, unchanged)"

_TABLE = (
    (
        r"libcublas(Lt)?\.so\.12",
        "CTranslate2 needs cuBLAS 12: pip install nvidia-cublas-cu12, and put its lib folder "
        "on LD_LIBRARY_PATH (the triton image has it there)",
    ),
    (
        r"libcudnn\S*",
        "ONNX Runtime needs cuDNN 9 for CUDA 13: use NVIDIA's Triton image, or pip install nvidia-cudnn-cu13",
    ),
    (
        r"could not load its CUDA provider|no CUDA provider",
        "only onnxruntime-gpu has a CUDA provider, and onnxruntime beside it overwrites it: uninstall both, then "
        "install requirements/server-gpu.txt; the provider also needs CUDA 13's cuBLAS and cuDNN 9",
    ),
    (
        r"libcuda\.so|driver version is insufficient|no CUDA-capable device|CUDA_ERROR_NO_DEVICE",
        "the NVIDIA driver is missing, too old (CUDA 13 needs R580), or not in the container: run it with --gpus and "
        "the NVIDIA container toolkit",
    ),
    (
        r"no kernel image is available|CUBLAS_STATUS_(NOT_SUPPORTED|ARCH_MISMATCH)",
        "this GPU lacks kernels for that number format: choose another --compute-type, such as float16",
    ),
    (
        r"out of memory|ALLOC_FAILED|bad_alloc|cannot allocate",
        "not enough memory for this checkpoint: free some, or choose a smaller one or --compute-type int8",
    ),
    (r"do(es)? not support efficient", "this device computes no such numbers: choose another --compute-type"),
    (r"(?P<file>lib[\w.+-]+\.so[\w.]*): cannot open shared object file", "install the package that holds {file}"),
    (r"(?P<file>[\w./+-]+\.so[\w.]*): (file too short|invalid ELF header)", "{file} is damaged: " + _INSTALL),
    (r"No module named", _INSTALL),
    (r"SIGILL", "this processor lacks instructions that the library was built for (AVX2): use a newer machine"),
    (r"SIGKILL", "it was killed, most likely for memory: give the container more"),
    (
        r"Unable to open file|unsupported model|incomplete|corrupt|invalid",
        "the checkpoint is damaged: get it again with `triscribe models pull`",
    ),
)


def remedy_for(text: str, default: str = _INSTALL) -> str:
    """What to do about an error message."""
    for pattern, remedy in _TABLE:
        if match := re.search(pattern, text, re.IGNORECASE):
            return remedy.format(**match.groupdict())
    return default
