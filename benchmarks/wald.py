"""Methods on a real pair by Wald's protocol: python benchmarks/wald.py --hsi FILE --msi FILE --out FOLDER.

A real pair has no truth. Both images are therefore degraded once more by the ratio of their resolutions and fused: the
result should be the HSI that was recorded. Images of one resolution are a pair too: only the HSI is degraded then, by
`--ratio`. The degradation is the text book's: a Gaussian with a given modulation transfer at the Nyquist frequency of
the coarser grid, sampled in the middle of its pixels. It is written here, with dense matrices, and shares no code with
the package. Outer LR pixels, which see more than the picture, are cut off with what lies under them, so that what lies
beyond the border of the fused pair is real.

Two real sensors are never quite aligned, and what is half a pixel off costs more than methods differ by: a method that
finds the shift puts its result where the MSI lies, and the truth lies where the HSI does. `--align` moves the MSI onto
the HSI's grid beforehand, by the shift under which the HSI explains it best, the same for all methods.

Methods are told nothing but the two images, and the wavelengths if `-o data.wavelengths_nm=[...]` gives them. The table
of PSNR, SAM and ERGAS over the pixels of the recorded HSI goes to FOLDER/wald.md, notes and verdicts to the screen.

References:
    L. Wald, T. Ranchin, M. Mangolini: Fusion of satellite images of different spatial resolutions: assessing the
    quality of resulting images. Photogrammetric Engineering and Remote Sensing 63(6), 1997.
    B. Aiazzi, L. Alparone, S. Baronti, A. Garzelli, M. Selva: MTF-tailored multiscale fusion of high-resolution MS and
    Pan imagery. Photogrammetric Engineering and Remote Sensing 72(5), 2006 (the Gaussian by its transfer at Nyquist).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np
from scipy import ndimage, optimize

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddle_umsft.config.load import load_config
from paddle_umsft.config.run import Config
from paddle_umsft.data.reading import ImagePair, read_pair
from paddle_umsft.data.scene import Observation
from paddle_umsft.errors import ConfigError, DataError, UmsftError
from paddle_umsft.machine.files import write_text
from paddle_umsft.machine.tables import TextTable
from paddle_umsft.methods.table import METHODS, run_method
from paddle_umsft.metrics import evaluate

DEFAULT_METHODS = ("bicubic", "sfim", "gsa", "cnmf", "fast", "best")
FIGURES = ("PSNR", "SAM", "ERGAS")
# Modulation transfer at Nyquist: what sensors have; the standard deviation is then half a pixel of the coarser grid.
USUAL_GAIN = 0.29
# Standard deviations of the Gaussian beyond which nothing is seen.
REACH = 3.0
# How far the search for a shift begins to look, pixels of the HSI, and when it ends.
FIRST_STEP = 0.5
SHIFT_TOLERANCE = 1e-3
# Pixels along the border that do not count in it: they are moved in from outside.
RIM = 3
HALF_PIXEL = 0.5
# Pixels that images of one resolution are degraded by, if nothing else is asked for.
USUAL_RATIO = 4


@dataclass
class Degraded:
    """A pair once more degraded, cut to what is known to all of it.

    Attributes:
        lr_hsi: (h, w, C).
        hr_msi: (H, W, M).
        truth: (H, W, C), the HSI as it was recorded.
        ratio: H / h.
        sigma: Standard deviation of the HSI's Gaussian, pixels of the truth.
        shift: (2,) by which the MSI was moved before, its own pixels.
    """

    lr_hsi: np.ndarray
    hr_msi: np.ndarray
    truth: np.ndarray
    ratio: int
    sigma: float
    shift: np.ndarray


def parse(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--hsi", required=True, metavar="FILE", help="the HSI that was recorded")
    add("--msi", required=True, metavar="FILE", help="the MSI, finer by a whole ratio or of one resolution")
    add("--out", required=True, metavar="FOLDER", help="the table goes there")
    add("--ratio", type=int, metavar="R", help=f"to degrade images of one resolution by ({USUAL_RATIO})")
    add("--gain", type=float, default=USUAL_GAIN, help=f"modulation transfer at Nyquist ({USUAL_GAIN})")
    add("--align", action="store_true", help="move the MSI onto the HSI's grid first")
    add("--methods", nargs="+", default=list(DEFAULT_METHODS), metavar="NAME", help="methods or presets")
    add("-o", "--override", nargs="+", default=[], metavar="KEY=VALUE", help="data.lr_key=..., data.hr_key=...")
    return parser.parse_args(argv)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run; returns 0, or an error's exit code."""
    args = parse(argv)
    common = [f"data.lr_hsi={args.hsi}", f"data.hr_msi={args.msi}", *args.override]
    try:
        configurations = {name: configuration(name, common) for name in args.methods}
        pair = read_pair(load_config(None, common).data)
        degraded = degrade(pair.lr_hsi, pair.hr_msi, ratio=args.ratio, gain=args.gain, align=args.align)
    except UmsftError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    table = table_of(pair, degraded, configurations)
    print(table.text())
    height, width = degraded.truth.shape[:2]
    head = (
        f"{pair.name} by Wald's protocol: {height} x {width}, degraded by {degraded.ratio}, Gaussian of sigma "
        f"{degraded.sigma:.2f} pixels (transfer {args.gain:g} at Nyquist), the MSI moved by ({degraded.shift[0]:+.2f}, "
        f"{degraded.shift[1]:+.2f}) of its pixels before\n\n"
    )
    write_text(Path(args.out) / "wald.md", head + table.markdown())
    return 0


def configuration(name: str, common: Sequence[str]) -> Config:
    """Return the settings of a method's or a preset's name."""
    if name in METHODS:
        return load_config(None, [*common, f"method={name}"])
    return load_config(name, common)


def sigma_for(ratio: int, gain: float) -> float:
    """Standard deviation of the Gaussian whose transfer at the coarser grid's Nyquist frequency is the gain.

    The transfer of a Gaussian is exp(-2 (pi sigma f)^2), the Nyquist frequency 1 / (2 ratio).

    Args:
        ratio: Of the two grids.
        gain: Between 0 and 1.
    """
    return float(ratio / np.pi * np.sqrt(-2.0 * np.log(gain)))


def averages(length: int, ratio: int, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """One axis of the degradation as a dense matrix.

    Args:
        length: Fine pixels along the axis; what is more than a multiple of the ratio is not looked at.
        ratio: Fine pixels in a coarse one.
        sigma: Of the Gaussian, fine pixels.

    Returns:
        (n, length) weights, every row summing to 1, and (n,) whether a coarse pixel sees nothing but the picture.
    """
    count = length // ratio
    # A coarse pixel's middle lies between its first and its last fine pixel.
    middles = np.arange(count) * ratio + (ratio - 1) / 2
    fine = np.arange(length)
    distance = np.abs(fine - middles[:, None])  # (n, length)
    weights = np.exp(-0.5 * (distance / sigma) ** 2)
    reach = REACH * sigma
    weights[distance > reach] = 0.0
    weights /= weights.sum(axis=1, keepdims=True)
    # Pixels are as wide as they are apart: the picture ends half a pixel beyond the last middle.
    begins_inside = middles - reach >= -HALF_PIXEL
    ends_inside = middles + reach <= length - HALF_PIXEL
    return weights, begins_inside & ends_inside


def coarser(
    image: np.ndarray,
    ratio: int,
    sigma: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(h, w, C) as a sensor with coarser pixels would see (H, W, C); which rows and which columns are whole."""
    down, whole_rows = averages(image.shape[0], ratio, sigma)
    across, whole_columns = averages(image.shape[1], ratio, sigma)
    half = np.einsum("ih,hwc->iwc", down, image.astype(np.float64), optimize=True)
    seen = np.einsum("jw,iwc->ijc", across, half, optimize=True)
    return seen, whole_rows, whole_columns


def moved(msi: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """(H, W, M) moved by (2,) pixels, cubic splines between them."""
    down, right = shift
    return np.asarray(ndimage.shift(msi.astype(np.float64), (down, right, 0.0), order=3, mode="nearest"))


def shift_onto(
    hsi: np.ndarray,
    msi: np.ndarray,
    own: int,
    gain: float,
) -> np.ndarray:
    """The shift of the MSI under which a linear mix of the HSI's bands explains it best.

    Args:
        hsi: (h, w, C).
        msi: (k*h, k*w, M).
        own: k.
        gain: Modulation transfer at Nyquist, where k is more than 1.

    Returns:
        (2,) pixels of the MSI.
    """
    inner = (slice(RIM, -RIM), slice(RIM, -RIM))
    spectra = hsi[inner].reshape(-1, hsi.shape[2])  # (n, C)
    ones = np.ones((len(spectra), 1))
    design = np.concatenate([spectra.astype(np.float64), ones], axis=1)
    # What the mix explains is what lies in the span of these columns.
    orthogonal, _ = np.linalg.qr(design)

    def unexplained(shift: np.ndarray) -> float:
        seen = moved(msi, shift)
        if own > 1:
            seen, _, _ = coarser(seen, own, sigma_for(own, gain))
        values = seen[inner].reshape(len(spectra), -1)  # (n, M)
        explained = orthogonal @ (orthogonal.T @ values)
        rest = values - explained
        # As a share: a shift of half a pixel is an interpolation, and takes contrast away.
        share = rest.var(axis=0) / values.var(axis=0)
        return float(np.mean(np.log(share)))

    step = FIRST_STEP * own
    corners = np.array([[0.0, 0.0], [step, 0.0], [0.0, step]])
    tolerances = {"xatol": SHIFT_TOLERANCE * own, "fatol": SHIFT_TOLERANCE, "initial_simplex": corners}
    found = optimize.minimize(unexplained, np.zeros(2), method="Nelder-Mead", options=tolerances)
    return np.asarray(found.x)


def degrade(
    hsi: np.ndarray,
    msi: np.ndarray,
    *,
    ratio: Optional[int],
    gain: float,
    align: bool = False,
) -> Degraded:
    """Degrade both images once more.

    Args:
        hsi: (h, w, C) as it was recorded.
        msi: (k*h, k*w, M), or (h, w, M).
        ratio: For images of one resolution; None: `USUAL_RATIO`.
        gain: Modulation transfer at Nyquist.
        align: Whether the MSI is moved onto the HSI's grid before.

    Returns:
        The coarser pair and its truth.

    Raises:
        ConfigError: A gain or a ratio that is none.
        DataError: The images have no whole ratio, or are too small.
    """
    if not 0 < gain < 1:
        raise ConfigError("transfer at Nyquist", where="--gain", expected="between 0 and 1", got=gain)
    # How much finer the MSI is than the HSI as they were recorded.
    own = msi.shape[0] // hsi.shape[0]
    if own < 1 or msi.shape[:2] != (own * hsi.shape[0], own * hsi.shape[1]):
        raise DataError("no whole ratio", where="--msi", expected=f"k * {hsi.shape[:2]}", got=msi.shape[:2])
    if own > 1 and ratio not in (None, own):
        raise ConfigError("the images say it", where="--ratio", expected=own, got=ratio)
    shift = np.zeros(2)
    if align:
        shift = shift_onto(hsi, msi, own, gain)
        msi = moved(msi, shift)
    if own > 1:
        ratio = own
        msi, _, _ = coarser(msi, own, sigma_for(own, gain))
    if ratio is None:
        ratio = USUAL_RATIO
    if ratio < 2:
        raise ConfigError("to degrade by", where="--ratio", expected="at least 2", got=ratio)
    sigma = sigma_for(ratio, gain)
    lr_hsi, rows, columns = coarser(hsi, ratio, sigma)
    if not (rows.any() and columns.any()):
        raise DataError("too small", where="--hsi", got=hsi.shape[:2], hint="no LR pixel sees nothing but the picture")
    # The HR pixels under the LR pixels that are kept.
    fine_rows = np.flatnonzero(np.repeat(rows, ratio))
    fine_columns = np.flatnonzero(np.repeat(columns, ratio))
    fine = np.ix_(fine_rows, fine_columns)
    return Degraded(
        lr_hsi=lr_hsi[np.ix_(rows, columns)].astype(np.float32),
        hr_msi=msi[fine].astype(np.float32),
        truth=hsi[fine].astype(np.float32),
        ratio=ratio,
        sigma=sigma,
        shift=shift,
    )


def table_of(
    pair: ImagePair,
    degraded: Degraded,
    configurations: dict[str, Config],
) -> TextTable:
    """Fuse by every method and compare with what was recorded; notes are printed on the way."""
    lines = []
    for name, config in configurations.items():
        observation = Observation(
            lr_hsi=degraded.lr_hsi,
            hr_msi=degraded.hr_msi,
            scale=degraded.ratio,
            name=pair.name,
            wavelengths_nm=pair.wavelengths_nm,
        )
        started = time.perf_counter()
        try:
            result = run_method(observation, config)
        except UmsftError as error:
            print(f"{name}: {error}", flush=True)
            lines.append([name, *("refused" for _ in FIGURES), ""])
            continue
        seconds = time.perf_counter() - started
        values = evaluate(degraded.truth, result.fused, scale=degraded.ratio, convention="author")
        lines.append([name, *(f"{values[figure]:.2f}" for figure in FIGURES), f"{seconds:.1f}"])
        for note in result.notes:
            print(f"{name}: {note}", flush=True)
    return TextTable(["method", *FIGURES, "seconds"], lines, words=1)


if __name__ == "__main__":
    sys.exit(main())
