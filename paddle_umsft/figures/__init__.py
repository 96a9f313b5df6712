"""Figures: functions that return a matplotlib Figure, in one look, without a screen and without pyplot."""

from __future__ import annotations

from paddle_umsft.figures.composites import RgbView, matching_functions, rgb_image
from paddle_umsft.figures.curves import curves
from paddle_umsft.figures.errors import angle_map, error_map, error_maps, sam_maps
from paddle_umsft.figures.expected import expected_error
from paddle_umsft.figures.panels import comparison, overview
from paddle_umsft.figures.psf_srf import psf_srf
from paddle_umsft.figures.spectra import residual_per_band, spectra
from paddle_umsft.figures.stacked import stacked
from paddle_umsft.figures.style import save_figure
from paddle_umsft.figures.zoom import Zoom, zoom_windows

__all__ = [
    "RgbView",
    "Zoom",
    "angle_map",
    "comparison",
    "curves",
    "error_map",
    "error_maps",
    "expected_error",
    "matching_functions",
    "overview",
    "psf_srf",
    "residual_per_band",
    "rgb_image",
    "sam_maps",
    "save_figure",
    "spectra",
    "stacked",
    "zoom_windows",
]
