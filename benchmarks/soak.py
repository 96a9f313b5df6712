"""Many fusions in one process: python benchmarks/soak.py [--fusions 500] [--sizes 64 128] [--methods gsa ...].

Resident memory and processor seconds of each fusion (what else the machine does counts for nothing), and how they grow:
the slope of a straight line through the second half of the fusions, in MB and ms a hundred fusions, with its standard
error. What is leaked grows for ever; what is kept for the next call stops growing. Methods that are trained take one
step of each stage: a soak is about what is made and let go of, not about learning. `layers` is forward and backward of
the smallest layers that have a plan. Needs Linux.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddle_umsft import fuse
from paddle_umsft.machine.environment import import_paddle
from paddle_umsft.machine.tables import TextTable
from paddle_umsft.methods.table import METHODS, find_method

SCALE, BANDS, MSI_BANDS = 8, 16, 4
ONE_STEP = {
    "umsft": ["warm_up.iterations=1", "solver.iterations=1", "network.width=4", "network.skip=2"],
    "uhntc": [
        *["uhntc.warm_up.iterations=1", "uhntc.warm_up.joint_iterations=1", "uhntc.warm_up.rank=3"],
        "uhntc.iterations=1",
    ],
}
LAYERS = "layers"
LAYER_CALLS = 10_000
# Layers at work on an image that is smaller by so much: many calls, not many pixels.
SMALLER = 4
# A layer of its own every so often: what is kept for a layer must go with it.
CALLS_A_LAYER = 100
MEGA = 1e6
HUNDRED = 100
STATM = Path("/proc/self/statm")
RESIDENT_FIELD = 1
# The last half of a series is looked at in so many parts.
PARTS = 5
# Growth within so many standard errors is none that can be told.
NOISE = 2.0


@dataclass(frozen=True)
class Slope:
    """Growth a hundred calls, and its standard error."""

    value: float
    error: float

    @property
    def words(self) -> str:
        """As the table has it."""
        return f"{self.value:+.3f} ± {self.error:.3f}"


@dataclass(frozen=True)
class Soaked:
    """What came out of one row.

    Attributes:
        name: The method, or the layers.
        size: Rows and columns.
        seconds: (n,) of each call, by the processor's clock.
        megabytes: (n,) resident after each call.
    """

    name: str
    size: int
    seconds: np.ndarray
    megabytes: np.ndarray

    @property
    def memory(self) -> Slope:
        """Growth of the resident memory, MB a hundred calls."""
        return slope(self.megabytes)

    @property
    def time(self) -> Slope:
        """Growth of the time, ms a hundred calls."""
        return slope(1000 * self.seconds)

    @property
    def late(self) -> float:
        """MB that came in the last half."""
        half = len(self.megabytes) // 2
        return float(self.megabytes[-1] - self.megabytes[half])

    @property
    def steady(self) -> float:
        """MB of the last half that came in all its parts alike.

        An allocator takes memory from the system in pieces of some MB, once. What is held back by every call is in
        every part; a piece is in one, and the median passes it over.
        """
        half = len(self.megabytes) // 2
        edges = np.linspace(half, len(self.megabytes) - 1, PARTS + 1).round().astype(int)
        growth = np.diff(self.megabytes[edges])
        return PARTS * float(np.median(growth))


def resident() -> float:
    """Return the resident memory in MB."""
    pages = int(STATM.read_text().split()[RESIDENT_FIELD])
    return pages * os.sysconf("SC_PAGE_SIZE") / MEGA


def slope(values: np.ndarray) -> Slope:
    """Return the growth of the second half of a series, by least squares.

    Args:
        values: (n,).
    """
    half = values[len(values) // 2 :]
    places = np.arange(len(half)) - (len(half) - 1) / 2
    spread = float(np.sum(places**2))
    rise = float(np.sum(places * half)) / spread
    left = half - half.mean() - rise * places
    variance = float(np.sum(left**2)) / max(1, len(half) - 2)
    return Slope(value=HUNDRED * rise, error=HUNDRED * float(np.sqrt(variance / spread)))


def soaked(name: str, size: int, count: int, call: Callable[[int], object]) -> Soaked:
    """Call something many times, and look at clock and memory after each.

    Args:
        name: Of the row.
        size: Rows and columns.
        count: How often.
        call: Given the number of the call.
    """
    seconds = np.empty(count)
    megabytes = np.empty(count)
    for number in range(count):
        began = time.process_time()
        call(number)
        seconds[number] = time.process_time() - began
        megabytes[number] = resident()
    return Soaked(name=name, size=size, seconds=seconds, megabytes=megabytes)


def pair(size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a small LR-HSI and HR-MSI of patches of mixed spectra, another one for each seed."""
    rng = np.random.default_rng(seed)
    abundances = rng.dirichlet(np.ones(4), (size // 4, size // 4)).repeat(4, axis=0).repeat(4, axis=1)  # (H, W, 4)
    truth = abundances @ rng.uniform(0.1, 1, (4, BANDS))
    small = size // SCALE
    low = truth.reshape(small, SCALE, small, SCALE, BANDS).mean(axis=(1, 3))
    return low.astype(np.float32), (truth @ rng.dirichlet(np.ones(BANDS), MSI_BANDS).T).astype(np.float32)


def fusion(method: str, size: int) -> Callable[[int], object]:
    """Return a call that fuses another pair each time."""

    def call(number: int) -> None:
        low, sharp = pair(size, number)
        with warnings.catch_warnings():
            # Of one step nothing good can come, which `fuse` says.
            warnings.simplefilter("ignore", UserWarning)
            fused = fuse(low, sharp, method=method, overrides=ONE_STEP.get(method, [])).fused
        assert np.isfinite(fused).all()

    return call


def small_layers(size: int) -> Callable[[int], object]:
    """Return a call of forward and backward of the smallest layers that have a plan."""
    import paddle

    from paddle_umsft.methods.networks.hourglass import Hourglass
    from paddle_umsft.methods.networks.layers import ConvNormAct

    image = paddle.to_tensor(np.random.default_rng(0).random((1, 4, size, size), dtype=np.float32))
    kept: list[paddle.nn.Layer] = []

    def call(number: int) -> None:
        if number % CALLS_A_LAYER == 0:
            kept[:] = [ConvNormAct(4, 4, 3), Hourglass(in_channels=4, out_channels=4, scales=2, width=4, skip=2)]
        for layer in kept:
            layer(image).mean().backward()
            layer.clear_gradients()

    return call


COLUMNS = (
    "what",
    "size",
    "calls",
    "CPU s each",
    "ms a 100 calls",
    "MB at the end",
    "MB a 100 calls",
    "MB in the last half",
)


def cells_of(row: Soaked) -> list[str]:
    """Return a row as the table's cells."""
    return [
        row.name,
        f"{row.size}²",
        str(len(row.seconds)),
        f"{np.median(row.seconds):.3f}",
        row.time.words,
        f"{row.megabytes[-1]:.0f}",
        row.memory.words,
        f"{row.late:+.2f}",
    ]


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run; prints a row as soon as it is known, and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fusions", type=int, default=500)
    parser.add_argument("--calls", type=int, default=LAYER_CALLS, help="of the layers")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--methods", nargs="+", default=[*METHODS, LAYERS], choices=[*METHODS, LAYERS])
    arguments = parser.parse_args(argv)
    import_paddle()
    rows = []
    for size in arguments.sizes:
        for name in arguments.methods:
            if name == LAYERS:
                small = size // SMALLER
                row = soaked(LAYERS, small, arguments.calls, small_layers(small))
            elif size < find_method(name).smallest:
                continue
            else:
                row = soaked(name, size, arguments.fusions, fusion(name, size))
            rows.append(row)
            print(" | ".join(cells_of(row)), flush=True)
    print()
    print(TextTable(list(COLUMNS), [cells_of(row) for row in rows], words=1).markdown())
    return 0


if __name__ == "__main__":
    sys.exit(main())
