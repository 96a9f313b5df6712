"""Checks of sizes: the ratio of the resolutions, and whether two images agree by it."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from paddle_umsft.errors import ConfigError, DataError

# Height and width that UMSFT needs at least: below, a BatchNorm meets a 1x1 map.
MINIMUM_SIZE = 128
# A fusion has something to do from a ratio of two on.
SMALLEST_RATIO = 2
# Factors of height and width that differ by no more than this share are one.
SAME_FACTOR = 0.005


def check_scale(
    scale: Any,
    *,
    minimum: int = SMALLEST_RATIO,
    where: str = "observe.scale",
) -> int:
    """Check the ratio of the resolutions, a whole number.

    Args:
        scale: The scale.
        minimum: Smallest scale allowed; a fusion needs 2, an operator alone works with 1.
        where: What it is called in the message.

    Returns:
        The scale as int.

    Raises:
        ConfigError: Not a whole number, or below the minimum.
    """
    # Python counts True as a whole number.
    is_whole = isinstance(scale, (int, np.integer)) and not isinstance(scale, bool)
    if not is_whole or scale < minimum:
        hint = None
        if scale == 1:
            hint = "at scale 1 both images have the same size and nothing is to be fused"
        raise ConfigError(
            "scale",
            where=where,
            expected=f"a whole number >= {minimum}",
            got=repr(scale),
            hint=hint,
        )
    return int(scale)


def check_tiling(
    shape: tuple[int, int],
    scale: int,
    where: str = "hr",
) -> None:
    """Check that an image is made of whole LR pixels.

    Args:
        shape: (H, W).
        scale: Ratio of the resolutions.
        where: What the image is called in the message.

    Raises:
        DataError: The scale is larger than the image, or H or W is no multiple of it; the message says the crop.
    """
    height, width = crop_size(shape, scale)
    if (height, width) == tuple(shape):
        return
    raise DataError(
        "size of the image",
        where=where,
        expected=f"height and width that are multiples of the scale {scale}",
        got=f"{shape[0]}x{shape[1]}",
        hint=f"crop it to {height}x{width}",
    )


def crop_size(shape: tuple[int, int], scale: int) -> tuple[int, int]:
    """Return the largest (H, W) within `shape` that are multiples of the scale.

    Raises:
        DataError: The scale is larger than the image.
    """
    height = shape[0] // scale * scale
    width = shape[1] // scale * scale
    if height == 0 or width == 0:
        raise DataError(
            "the scale is larger than the image",
            where="scale",
            expected=f"at least {scale}x{scale} pixels",
            got=f"{shape[0]}x{shape[1]}",
        )
    return height, width


def check_minimum_size(shape: tuple[int, int], minimum: int = MINIMUM_SIZE) -> None:
    """Check the least size that the UMSFT network needs.

    Raises:
        DataError: Height or width below the minimum.
    """
    if min(shape[0], shape[1]) >= minimum:
        return
    raise DataError(
        "image too small",
        where="hr_msi",
        expected=f"at least {minimum}x{minimum}",
        got=f"{shape[0]}x{shape[1]}",
        hint="take a larger crop, or method: subspace",
    )


def check_pair(
    lr_shape: tuple[int, ...],
    hr_shape: tuple[int, ...],
    scale: Optional[int] = None,
    *,
    minimum: int = SMALLEST_RATIO,
) -> int:
    """Check that the sizes of LR-HSI and HR-MSI agree by one whole factor, and find it.

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
    h, w = lr_shape[:2]
    height, width = hr_shape[:2]
    sizes = f"LR-HSI {h}x{w} against HR-MSI {height}x{width}"
    if min(h, w, height, width) < 1:
        raise DataError("empty image", where="pair", got=sizes)
    # The other direction has to say the same, and nothing may be left over in either.
    found = height // h
    if (height, width) != (found * h, found * w):
        hint = _hint_of_sizes(height / h, width / w)
        if height < h and width < w:
            hint = "are the two files swapped?"
        raise DataError(
            "sizes",
            where="pair",
            expected="one whole factor between them",
            got=f"{sizes} (factors {height / h:.4g} and {width / w:.4g})",
            hint=hint,
        )
    if scale is not None and scale != found:
        raise DataError(
            "scale",
            where="pair",
            expected=f"{scale} as told",
            got=f"{found} by the sizes: {sizes}",
        )
    if found < minimum:
        raise DataError(
            "both images have the same size",
            where="pair",
            expected="a scale >= 2",
            got=sizes,
            hint="nothing is to be fused; to try a method out, read the hyperspectral image alone and simulate",
        )
    return found


def _hint_of_sizes(rows: float, columns: float) -> str:
    """Return the way out where two sizes have no whole factor between them.

    Args:
        rows: Factor of the heights.
        columns: Factor of the widths.
    """
    crop = "crop both to the same ground area"
    if abs(rows - columns) > SAME_FACTOR * rows:
        return f"{crop}, or resample the HR-MSI (gdalwarp -te -tr) to a whole number of its pixels per HSI pixel"
    return (
        f"if they show the same ground, observe.scale={rows:.6g} (fuse(scale={rows:.6g})) takes this ratio, the HSI's "
        f"pixels interpolated in between; else {crop}"
    )


def check_bands_last(lr_shape: tuple[int, ...], hr_shape: tuple[int, ...]) -> None:
    """Check that the axes of two arrays are rows, columns, bands, as far as their lengths tell.

    rasterio and PyTorch put the bands first. Nothing is turned in silence: the call that does it is named.

    Args:
        lr_shape: (h, w, C), perhaps (C, h, w).
        hr_shape: (H, W, M), perhaps (M, H, W).

    Raises:
        DataError: The sizes agree by one whole factor only if the bands come first in one or both.
    """
    if _has_ratio(lr_shape[:2], hr_shape[:2]):
        return
    readings = {
        ("lr_hsi", "hr_msi"): (lr_shape[1:], hr_shape[1:]),
        ("lr_hsi",): (lr_shape[1:], hr_shape[:2]),
        ("hr_msi",): (lr_shape[:2], hr_shape[1:]),
    }
    for names, (low, high) in readings.items():
        if _has_ratio(low, high):
            calls = ", ".join(f"{name} = np.moveaxis({name}, 0, -1)" for name in names)
            raise DataError(
                "the bands come first",
                where=" and ".join(names),
                expected="(rows, columns, bands)",
                got=f"shapes {lr_shape} and {hr_shape}",
                hint=calls,
            )


def _has_ratio(low: tuple[int, ...], high: tuple[int, ...]) -> bool:
    """Return whether two sizes agree by one whole factor of at least two."""
    if min(low) < 1:
        return False
    factor = high[0] // low[0]
    return factor >= SMALLEST_RATIO and tuple(high) == (factor * low[0], factor * low[1])
