"""Checks at the border: shapes, types, ranges. Each raises an own error of one line, or returns what it checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

import numpy as np

from paddle_umsft.data.scene import Supports
from paddle_umsft.errors import ConfigError, DataError

MINIMUM_SIZE = 128
SHORTEST_NM = 50.0  # no imager has bands below: smaller numbers are micrometres


def check_numeric(array: Any, where: str) -> np.ndarray:
    """Refuses complex numbers, text, objects, truth values, rows of several lengths and masked values.

    Raises:
        DataError: No array, its type is not an integer or a real floating point type, or values are masked.
    """
    masked = int(np.ma.count_masked(array)) if isinstance(array, np.ma.MaskedArray) else 0
    if masked:
        hint = "fill them, or cut them away"
        raise DataError("values", where=where, expected="none masked", got=f"{masked} of {array.size}", hint=hint)
    try:
        values = np.asarray(array)
    except (TypeError, ValueError) as error:  # rows of several lengths
        raise DataError("not an array", where=where, got=str(error)[:120]) from None
    if values.dtype.kind not in "iuf":
        kind = {"c": "complex numbers", "b": "truth values"}.get(values.dtype.kind, "text or objects")
        raise DataError("type of the values", where=where, expected="real numbers", got=f"{values.dtype} ({kind})")
    return values


def check_finite(array: np.ndarray, where: str) -> np.ndarray:
    """Refuses NaN and infinity, with their count and the first position.

    Raises:
        DataError: Any value is not finite.
    """
    if array.dtype.kind == "f":
        bad = ~np.isfinite(array)
        count = int(bad.sum())
        if count:
            first = tuple(int(i) for i in np.unravel_index(int(bad.argmax()), array.shape))
            got = f"{count} NaN or infinite of {array.size}, the first ({array[first]}) at index {first}"
            raise DataError("values", where=where, expected="finite numbers only", got=got)
    return array


def check_cube(cube: np.ndarray, where: str) -> np.ndarray:
    """Checks an image cube: three axes, real, finite, neither empty nor constant.

    Args:
        cube: (H, W, C), any real type.
        where: What it is called in the message.

    Returns:
        The cube as it came.

    Raises:
        DataError: Anything of that does not hold.
    """
    cube = check_numeric(cube, where)
    if cube.ndim != 3:
        hint = "reshape it to (rows, columns, bands) first" if cube.ndim == 2 else None
        got = f"{cube.ndim} (shape {cube.shape})"
        raise DataError("number of axes", where=where, expected="3 (rows, columns, bands)", got=got, hint=hint)
    if cube.size == 0:
        raise DataError("empty image", where=where, got=f"shape {cube.shape}")
    check_finite(cube, where)
    low, high = cube.min(), cube.max()
    if low == high:
        what = "the image is all zero" if high == 0 else f"the image is constant ({high} everywhere)"
        raise DataError(what, where=where, hint="there is nothing to fuse; is it the right file and key?")
    return cube


def check_scale(
    scale: Any, shape: Optional[tuple[int, int]] = None, *, minimum: int = 2, where: str = "observe.scale"
) -> int:
    """Checks the ratio of the resolutions, alone or against the high-resolution size.

    Args:
        scale: The scale.
        shape: (H, W) at high resolution; None: not checked against a size.
        minimum: Smallest scale allowed; a fusion needs 2, an operator alone works with 1.
        where: What it is called in the message.

    Returns:
        The scale as int.

    Raises:
        ConfigError: Not a whole number, or below the minimum.
        DataError: Larger than the image, or not a divisor of H and W (the message says the crop).
    """
    if isinstance(scale, bool) or not isinstance(scale, (int, np.integer)) or scale < minimum:
        hint = "at scale 1 both images have the same size and nothing is to be fused" if scale == 1 else None
        raise ConfigError("scale", where=where, expected=f"a whole number >= {minimum}", got=repr(scale), hint=hint)
    checked = int(scale)
    if shape is not None:
        height, width = crop_size(shape, checked)
        if (height, width) != tuple(shape):
            hint = f"crop it to {height}x{width}"
            got = f"{shape[0]}x{shape[1]}"
            expected = f"height and width that are multiples of the scale {scale}"
            raise DataError("size of the image", where="scale", expected=expected, got=got, hint=hint)
    return checked


def crop_size(shape: tuple[int, int], scale: int) -> tuple[int, int]:
    """The largest (H, W) within `shape` that are multiples of the scale.

    Raises:
        DataError: The scale is larger than the image.
    """
    height, width = shape[0] // scale * scale, shape[1] // scale * scale
    if height == 0 or width == 0:
        got, expected = f"{shape[0]}x{shape[1]}", f"at least {scale}x{scale} pixels"
        raise DataError("the scale is larger than the image", where="scale", expected=expected, got=got)
    return height, width


def check_minimum_size(shape: tuple[int, int], minimum: int = MINIMUM_SIZE) -> None:
    """Checks the least size that the UMSFT network needs (below it, a BatchNorm meets a 1x1 map).

    Raises:
        DataError: Height or width below the minimum.
    """
    if min(shape[0], shape[1]) < minimum:
        got, hint = f"{shape[0]}x{shape[1]}", "take a larger crop, or method: subspace"
        raise DataError("image too small", where="hr_msi", expected=f"at least {minimum}x{minimum}", got=got, hint=hint)


def check_pair(
    lr_shape: tuple[int, ...], hr_shape: tuple[int, ...], scale: Optional[int] = None, *, minimum: int = 2
) -> int:
    """Checks that the sizes of LR-HSI and HR-MSI agree by one whole factor, and finds it.

    Args:
        lr_shape: (h, w, ...).
        hr_shape: (H, W, ...).
        scale: The factor expected; None: whatever the sizes say.
        minimum: Smallest factor allowed.

    Returns:
        The scale.

    Raises:
        DataError: No whole factor, two different factors, one below the minimum, or not the one expected.
    """
    h, w, height, width = lr_shape[0], lr_shape[1], hr_shape[0], hr_shape[1]
    sizes = f"LR-HSI {h}x{w} against HR-MSI {height}x{width}"
    if min(h, w, height, width) < 1:
        raise DataError("empty image", where="pair", got=sizes)
    if height % h or width % w or height // h != width // w:
        got = f"{sizes} (factors {height / h:.4g} and {width / w:.4g})"
        hint = "crop both to the same ground area"
        if height < h and width < w:
            hint = "are the two files swapped?"
        raise DataError("sizes", where="pair", expected="one whole factor between them", got=got, hint=hint)
    found = height // h
    if scale is not None and scale != found:
        raise DataError("scale", where="pair", expected=f"{scale} as told", got=f"{found} by the sizes: {sizes}")
    if found < minimum:
        hint = "nothing is to be fused; to try a method out, read the hyperspectral image alone and simulate"
        raise DataError("both images have the same size", where="pair", expected="a scale >= 2", got=sizes, hint=hint)
    return found


def check_wavelengths(wavelengths_nm: Any, bands: int, where: str = "wavelengths_nm") -> np.ndarray:
    """Checks band centres: one number per band, finite, positive, in nm, no two alike.

    Args:
        wavelengths_nm: (C,), in any order.
        bands: C.
        where: What they are called in the message.

    Returns:
        (C,) float64.

    Raises:
        DataError: Anything of that does not hold.
    """
    try:
        nm = np.asarray(wavelengths_nm, dtype=np.float64)
    except (TypeError, ValueError):
        got = repr(wavelengths_nm)[:60]
        raise DataError("band centres", where=where, expected=f"{bands} numbers", got=got) from None
    if nm.shape != (bands,):
        raise DataError("band centres", where=where, expected=f"({bands},)", got=nm.shape)
    if not np.all(np.isfinite(nm)) or nm.min() <= 0:
        raise DataError("band centres", where=where, expected="positive numbers in nm", got=nm.tolist()[:4])
    if nm.max() < SHORTEST_NM:
        got, hint = f"{nm.min():g}...{nm.max():g}", "micrometres are multiplied by 1000"
        raise DataError("band centres", where=where, expected="nanometres", got=got, hint=hint)
    values, counts = np.unique(nm, return_counts=True)
    if len(values) < bands:
        got = f"{counts.max()} bands at {values[counts.argmax()]:g} nm"
        raise DataError("band centres", where=where, expected="one wavelength per band, no two alike", got=got)
    return nm


def check_supports(supports: Iterable[Sequence[int]], bands: int, msi_bands: Optional[int] = None) -> Supports:
    """Checks the half-open ranges [a, b) of HSI bands that the MSI bands see.

    Args:
        supports: One pair (a, b) per MSI band.
        bands: C.
        msi_bands: M; None: any number from 1 on.

    Returns:
        The supports as a tuple of pairs of ints.

    Raises:
        ConfigError: Wrong number of ranges, an empty range, or one that leaves [0, C).
    """
    where = "supports"
    try:
        if isinstance(supports, (str, bytes, Mapping)):
            raise TypeError
        ranges = list(supports)
    except TypeError:
        got = repr(supports)[:60]
        raise ConfigError("ranges", where=where, expected="one [a, b) per MSI band", got=got) from None
    if len(ranges) == 0 or (msi_bands is not None and len(ranges) != msi_bands):
        expected = f"one range per MSI band ({msi_bands})" if msi_bands else "at least one range"
        raise ConfigError("number of ranges", where=where, expected=expected, got=len(ranges))
    checked = []
    for index, support in enumerate(ranges):
        spot = f"{where}[{index}]"
        is_array = isinstance(support, np.ndarray) and support.ndim == 1
        listed = list(support) if is_array or isinstance(support, (list, tuple)) else [support]
        if len(listed) != 2 or any(isinstance(v, bool) or not isinstance(v, (int, np.integer)) for v in listed):
            raise ConfigError("range", where=spot, expected="two whole numbers [a, b)", got=repr(support)[:60])
        start, stop = int(support[0]), int(support[1])
        if start >= stop:
            raise ConfigError("empty range", where=spot, expected="[a, b) with a < b", got=f"[{start}, {stop})")
        if start < 0 or stop > bands:
            expected, got = f"a range within [0, {bands}) for {bands} bands", f"[{start}, {stop})"
            raise ConfigError("range outside the bands", where=spot, expected=expected, got=got)
        checked.append((start, stop))
    return tuple(checked)


def check_psf(psf: np.ndarray, where: str = "psf", *, signed: bool = False) -> np.ndarray:
    """Checks a PSF: (k, k), real, finite, not all zero, and not negative unless it is a learned one.

    Args:
        psf: (k, k).
        where: What it is called in the message.
        signed: Negative values are allowed: a kernel fitted to data may have small lobes of either sign.

    Returns:
        (k, k) float64, not rescaled.

    Raises:
        DataError: Anything of that does not hold.
    """
    psf = check_finite(check_numeric(psf, where), where)
    if psf.ndim != 2 or psf.shape[0] != psf.shape[1] or psf.size == 0:
        raise DataError("shape of the PSF", where=where, expected="(k, k)", got=psf.shape)
    if psf.min() < 0 and not signed:
        raise DataError("PSF", where=where, expected="no negative value", got=f"{psf.min():.4g}")
    if not psf.any():
        raise DataError("the PSF is all zero", where=where)
    return psf.astype(np.float64)


def check_srf(
    srf: np.ndarray, bands: Optional[int] = None, where: str = "srf", *, learned: bool = False
) -> np.ndarray:
    """Checks an SRF: (M, C), real, finite, and unless it is a learned one, not negative and no MSI band all zero.

    Args:
        srf: (M, C).
        bands: C of the scene, if known.
        where: What it is called in the message.
        learned: It was fitted to data, and only has to be usable as an operator.

    Returns:
        (M, C) float64, not rescaled.

    Raises:
        DataError: Anything of that does not hold.
    """
    srf = check_finite(check_numeric(srf, where), where)
    if srf.ndim != 2 or srf.size == 0:
        raise DataError("shape of the SRF", where=where, expected="(MSI bands, HSI bands)", got=srf.shape)
    if bands is not None and srf.shape[1] != bands:
        raise DataError("bands of the SRF", where=where, expected=f"{bands} as in the scene", got=srf.shape[1])
    if learned:
        return srf.astype(np.float64)
    if srf.min() < 0:
        row, column = (int(i) for i in np.unravel_index(int(srf.argmin()), srf.shape))
        got = f"{srf.min():.4g} at MSI band {row}, HSI band {column}"
        raise DataError("SRF", where=where, expected="no negative value", got=got)
    empty = np.flatnonzero(srf.max(axis=1) == 0)
    if empty.size:
        raise DataError(f"the SRF of MSI band {int(empty[0])} (counted from 0) is all zero", where=where)
    return srf.astype(np.float64)
