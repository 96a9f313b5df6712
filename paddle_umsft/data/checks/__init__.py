"""Checks at the border: values, sizes, cameras. Each raises an own error of one line, or returns what it checked."""

from paddle_umsft.data.checks.cameras import check_counted, check_psf, check_srf, check_supports
from paddle_umsft.data.checks.grids import check_grids, common_area, next_whole
from paddle_umsft.data.checks.sizes import (
    MINIMUM_SIZE,
    check_bands_last,
    check_minimum_size,
    check_pair,
    check_scale,
    check_tiling,
    crop_size,
)
from paddle_umsft.data.checks.values import (
    check_axes,
    check_cube,
    check_finite,
    check_numeric,
    check_wavelengths,
    to_float32,
)

__all__ = [
    "MINIMUM_SIZE",
    "check_axes",
    "check_bands_last",
    "check_counted",
    "check_cube",
    "check_finite",
    "check_grids",
    "check_minimum_size",
    "check_numeric",
    "check_pair",
    "check_psf",
    "check_scale",
    "check_srf",
    "check_supports",
    "check_tiling",
    "check_wavelengths",
    "common_area",
    "crop_size",
    "next_whole",
    "to_float32",
]
