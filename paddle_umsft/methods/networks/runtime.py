"""The machine: device, type, seed, and the memory a run will want. Set once, by whoever starts a run."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Optional

import numpy as np
import paddle

from paddle_umsft.config.runtime import RuntimeConfig
from paddle_umsft.errors import ConfigError
from paddle_umsft.machine.paddle_build import cpu_build_on_gpu_machine, no_code_for_gpu, packages_line
from paddle_umsft.machine.versions import versions as versions
from paddle_umsft.methods.networks.ops import set_cudnn, set_mode, set_precision, set_recompute, set_threads

# Numbers held at once for every HR pixel, and for every pixel of every band; fitted, see `estimated_memory_mb`.
MEMORY_VALUES_PER_PIXEL = 3600.0
MEMORY_VALUES_PER_BAND = 25.0
MEMORY_BASE_MB = 760.0  # what is left at no pixels
# Of that in bf16: maps take half, but the largest passing ones, nine mixes a channel, are float32 there as well.
BF16_SHARE = 0.95
# The same of uHNTC.
UHNTC_VALUES_PER_PIXEL = 1300.0
UHNTC_VALUES_PER_BAND = 115.0
UHNTC_BASE_MB = 550.0
SINGLE_BYTES = 4.0
DOUBLE_BYTES = 8.0
BYTES_PER_MB = 2**20
# What tells a process its rank, and its GPU where the launcher has chosen one.
RANK_VARIABLE = "PADDLE_TRAINER_ID"
LAUNCH_VARIABLE = "FLAGS_selected_gpus"


def choose_device(wanted: str) -> str:
    """Resolve "auto", "cpu" or "gpu" to the place Paddle is to compute on.

    Raises:
        ConfigError: If a GPU is asked for and Paddle has none, or Paddle has no code for the one that is there.
    """
    is_gpu_build = paddle.device.is_compiled_with_cuda()
    has_gpu = is_gpu_build and paddle.device.cuda.device_count() > 0
    if wanted == "gpu" and not has_gpu:
        build = ""
        if not is_gpu_build:
            build = " (a CPU build)"
        raise ConfigError(
            "no GPU that Paddle can use",
            where="runtime.device",
            got=f"{packages_line()}{build}",
            hint=cpu_build_on_gpu_machine(is_gpu_build) or "--device cpu, or install paddlepaddle-gpu",
        )
    if has_gpu and wanted in ("auto", "gpu"):
        check_gpu_code()
        return "gpu"
    return "cpu"


def check_gpu_code() -> None:
    """Check that Paddle's build can compute on the first GPU.

    Raises:
        ConfigError: It has no code for it, by its own list or by what comes of a first sum.
    """
    cuda = paddle.device.cuda
    name = cuda.get_device_name(0)
    lacking = no_code_for_gpu(paddle.version, cuda.get_device_capability(0), name)
    if lacking is None:
        try:
            # Builds that do not list what they were compiled for are tried: 2 is what two ones make.
            ones = paddle.ones([2]).cuda()
            worked = float(ones.sum()) == 2.0
        except (OSError, RuntimeError) as error:
            worked = False
            lacking = f"{packages_line()} cannot compute on {name}: {error}"
        if not worked and lacking is None:
            lacking = f"{packages_line()} computes nonsense on {name}"
    if lacking is not None:
        raise ConfigError(
            "this GPU cannot be used",
            where="runtime.device",
            got=lacking,
            hint="--device cpu goes on without it",
        )


def device_of_rank(device: str) -> str:
    """Return which GPU is this process's, of several that work side by side.

    `paddle.distributed.launch` says so itself, and Paddle's plain "gpu" is then that one; processes started by
    something else (`--share`) take turns.

    Args:
        device: "cpu" or "gpu".
    """
    rank = os.environ.get(RANK_VARIABLE, "")
    if device != "gpu" or LAUNCH_VARIABLE in os.environ or not rank.isdigit():
        return device
    count = paddle.device.cuda.device_count()
    return f"gpu:{int(rank) % count}"


def memory_of_gpu(wanted: str) -> Optional[int]:
    """Bytes of the GPU that would be computed on; None: it would be the CPU.

    Args:
        wanted: "auto" or "gpu".
    """
    if choose_device(wanted) != "gpu":
        return None
    properties = paddle.device.cuda.get_device_properties(device_of_rank("gpu"))
    return int(properties.total_memory)


def idle_gpu() -> tuple[str, ...]:
    """Return a note where this machine has a GPU that Paddle's build cannot use; else none."""
    note = cpu_build_on_gpu_machine(paddle.device.is_compiled_with_cuda())
    if note is None:
        return ()
    return (note,)


def place_and_seed(runtime: RuntimeConfig, seed: int) -> str:
    """Set device, determinism and every seed.

    Returns:
        "cpu" or "gpu".

    Raises:
        ConfigError: If what is asked for is not to be had on this machine.
    """
    device = choose_device(runtime.device)
    paddle.set_device(device_of_rank(device))
    if device == "gpu":
        set_cudnn(deterministic=runtime.deterministic, search=not runtime.deterministic)
    set_mode(runtime.cpu_ops)
    set_precision(runtime.precision)
    # `false` does not forbid it: plans do so anyway, a large image must fit all the same.
    recompute = None
    if runtime.recompute:
        recompute = True
    set_recompute(recompute)
    if runtime.threads is not None:
        set_threads(runtime.threads)
    # Layers are started by Paddle's generator; the others are set for libraries that draw by them.
    paddle.seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    return device


@contextmanager
def computing_in(runtime: RuntimeConfig) -> Iterator[None]:
    """Build layers and tensors in the type of the configuration, with names that do not depend on what came before.

    Optimiser states are stored by parameter name; fresh names make those of a resumed run equal the first one's.
    """
    before = paddle.get_default_dtype()
    paddle.set_default_dtype(runtime.dtype)
    try:
        with paddle.utils.unique_name.guard():
            yield
    finally:
        paddle.set_default_dtype(before)


def estimated_memory_mb(
    height: int,
    width: int,
    bands: int,
    msi_bands: int,
    *,
    double: bool = False,
    bf16: bool = False,
) -> float:
    """Roughly the peak memory of UMSFT's training, MB.

    Activations dominate and grow with the pixels. The constants are fitted to peaks measured on the CPU fast path
    (1.0 GB at 128x128, 5.2 GB at 512x512, 31 bands; in bf16 0.9 and 4.8 GB); plain operators and GPUs may want more.

    Args:
        height: H.
        width: W.
        bands: C.
        msi_bands: M.
        double: Computing in float64.
        bf16: Plans in bf16.
    """
    values_per_pixel = MEMORY_VALUES_PER_PIXEL + MEMORY_VALUES_PER_BAND * (bands + msi_bands)
    bytes_per_value = SINGLE_BYTES
    if double:
        bytes_per_value = DOUBLE_BYTES
    if bf16:
        bytes_per_value = BF16_SHARE * SINGLE_BYTES
    activations_mb = height * width * values_per_pixel * bytes_per_value / BYTES_PER_MB
    return activations_mb + MEMORY_BASE_MB


def umsft_memory_mb(height: int, width: int, bands: int, msi_bands: int) -> float:
    """`estimated_memory_mb` in float32, as `plan_tiles` asks for it."""
    return estimated_memory_mb(height, width, bands, msi_bands)


def uhntc_memory_mb(height: int, width: int, bands: int, msi_bands: int) -> float:
    """Roughly the peak memory of uHNTC's training, MB.

    Fitted to peaks measured on the CPU fast path: 0.81 GB at 128x128 and 1.75 GB at 256x256 of 31 bands, 1.5 GB at
    128x128 of 128 bands; 2.8 GB at 384x384, where it says 3.4.

    Args:
        height: H.
        width: W.
        bands: C.
        msi_bands: M.
    """
    values_per_pixel = UHNTC_VALUES_PER_PIXEL + UHNTC_VALUES_PER_BAND * (bands + msi_bands)
    return height * width * values_per_pixel * SINGLE_BYTES / BYTES_PER_MB + UHNTC_BASE_MB
