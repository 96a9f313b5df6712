"""Which path the layers take: oneDNN plans where the machine and the tensors allow it, plain Paddle elsewhere."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from pathlib import Path
from typing import Any, Optional

from paddle_umsft.errors import ConfigError
from paddle_umsft.methods.networks.ops import bf16
from paddle_umsft.methods.networks.ops.onednn import BF16, F32, Library, OneDnnError, library_path

MODES = ("auto", "plain")
PRECISIONS = ("float32", "bf16")
# Up to so many pixels plans are float32 whatever is asked for. UMSFT's coarsest hourglass normalises by statistics of
# four pixels at the size of 128: in bf16 it spoils the gradients of a fresh start most, and it is 0.1 % of the time.
FEW_PIXELS = 32 * 32

FORKED = "forked process"
# The parent's workers are not there, and what a fork leaves of their library must not be called.
FORKED_NOTE = (
    "in a forked process the networks run without the fast plans: slower, and other last digits than outside; "
    "a spawned process gives the same bits"
)


class _State:
    """What was found on this machine, looked for once."""

    def __init__(self) -> None:
        self.mode = "auto"
        self.precision = "float32"
        self.recompute: Optional[bool] = None
        self.looked = False
        self.library: Optional[Library] = None
        self.reason = "not looked for yet"
        self.openmp: Optional[ctypes.CDLL] = None


_state = _State()


def set_mode(mode: str) -> None:
    """Choose the path: "auto" (fast where possible) or "plain" (Paddle's own operators only).

    Raises:
        ConfigError: If it is neither.
    """
    if mode not in MODES:
        raise ConfigError(
            "unknown mode",
            where="runtime.cpu_ops",
            expected=" or ".join(MODES),
            got=mode,
        )
    _state.mode = mode


def set_precision(wanted: str, cpuinfo: Optional[str] = None) -> None:
    """Choose what maps and weights are inside plans: "float32" or "bf16"; parameters stay float32 either way.

    Args:
        wanted: Which of them.
        cpuinfo: Text of /proc/cpuinfo, read from there by default.

    Raises:
        ConfigError: If it is neither, or bf16 is not to be had here.
    """
    if wanted not in PRECISIONS:
        raise ConfigError(
            "unknown precision",
            where="runtime.precision",
            expected=" or ".join(PRECISIONS),
            got=wanted,
        )
    if wanted == "bf16":
        found = library()
        if found is None:
            reason: Optional[str] = active()
        else:
            reason = bf16.refusal(found, cpuinfo)
        if reason is not None:
            raise ConfigError(
                "no bf16 here",
                where="runtime.precision",
                expected="oneDNN plans on a processor with bf16 instructions",
                got=reason,
                hint="runtime.precision=float32",
            )
    _state.precision = wanted


def computes_in() -> str:
    """In what the plans compute; float32 where there are none."""
    if library() is None:
        return "float32"
    return _state.precision


def set_recompute(wanted: Optional[bool]) -> None:
    """Whether plans make activations again in the backward run instead of keeping them; None: they do."""
    _state.recompute = wanted


def map_type(x: Any) -> int:
    """The type of the maps inside a plan fed with x (B, C, H, W), as oneDNN counts types."""
    pixels = int(x.shape[2]) * int(x.shape[3])
    if _state.precision == "bf16" and pixels > FEW_PIXELS:
        return BF16
    return F32


def recompute_asked() -> bool:
    """Whether recomputation was asked for, rather than left to the image size."""
    return _state.recompute is True


def lean() -> bool:
    """Whether plans keep less for the backward run: they do unless told otherwise, for 1 % more time (docs)."""
    return _state.recompute is not False


def library() -> Optional[Library]:
    """The library, if the fast path is on and possible here."""
    if _state.mode == "plain":
        return None
    if not _state.looked:
        _look()
    return _state.library


def active() -> str:
    """What is in use and why, in a line."""
    if _state.mode == "plain":
        return "plain Paddle operators (as asked for)"
    found = library()
    if found is None:
        return f"plain Paddle operators ({_state.reason})"
    version = ".".join(map(str, found.version))
    plans = f"oneDNN {version} plans in {_state.precision}, {threads()} thread(s)"
    return f"{plans}; float64, other devices and batches above 1 run plain"


def notes() -> tuple[str, ...]:
    """What a result's user should know of where it was computed, a line each."""
    if _state.mode != "plain" and _state.library is None and _state.reason == FORKED:
        return (FORKED_NOTE,)
    return ()


def threads() -> int:
    """OpenMP threads that a call from this thread gets."""
    if _state.openmp is None:
        # The variable may list a number for every level of nesting: the outermost counts.
        listed = os.environ.get("OMP_NUM_THREADS", "1")
        outermost, *_ = listed.split(",")
        return int(outermost or 1)
    return int(_state.openmp.omp_get_max_threads())


def set_threads(count: int) -> bool:
    """Use `count` OpenMP threads from now on in this thread (Paddle's matrix products and the plans).

    Environment variables no longer help once Paddle is loaded; its OpenMP runtime can still be told.

    Returns:
        Whether it could be done.
    """
    if not _state.looked:
        _look()
    if _state.openmp is None or count < 1:
        return False
    _state.openmp.omp_set_num_threads(int(count))
    return True


def _look() -> None:
    # Once, whatever is found: a step asks for the library many times.
    _state.looked = True
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        _state.reason = f"no plans for {sys.platform} {platform.machine()}"
        return
    try:
        _state.openmp = _openmp()
        import paddle

        if not paddle.get_device().startswith("cpu"):
            _state.reason = f"device is {paddle.get_device()}"
            return
        path = library_path()
        if path is None:
            _state.reason = "Paddle brings no libdnnl.so.3"
            return
        _state.library = Library(path)
    except (OneDnnError, OSError, AttributeError) as error:
        _state.reason = str(error)
        return
    os.register_at_fork(after_in_child=_forget)


def _openmp() -> Optional[ctypes.CDLL]:
    """The OpenMP runtime that Paddle's libraries run on: Intel's where it is there (it also answers for GNU's)."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    # The sixth column of a line is the file, which may have blanks in its name; memory without a file has no such one.
    loaded = {line.split(maxsplit=5)[-1] for line in maps if line.count(" ") >= 5}
    for name in ("libiomp5.so", "libgomp"):
        for path in sorted(loaded):
            if os.path.basename(path).startswith(name):
                library = ctypes.CDLL(path)
                library.omp_get_max_threads.restype = ctypes.c_int
                library.omp_set_num_threads.argtypes = [ctypes.c_int]
                return library
    return None


def _forget() -> None:
    """A forked child has no OpenMP workers of the parent's: it leaves everything alone and runs plain."""
    if _state.library is not None:
        _state.library.abandon()
    _state.library = None
    _state.reason = FORKED
