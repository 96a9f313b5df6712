"""Maps of what a fused cube misses: error and spectral angle, one colour scale for all methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from paddle_umsft.figures.style import ANGLE_COLOURS, ERROR_COLOURS, PAGE, new_figure, show_picture, styled
from paddle_umsft.metrics.common import spectral_angles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ERROR_LABEL = "RMSE over bands (values × 255)"
ANGLE_LABEL = "spectral angle (°)"


def error_map(reference: np.ndarray, fused: np.ndarray) -> np.ndarray:
    """Root mean square error over the bands of each pixel, on 0–255.

    Args:
        reference: (H, W, C) truth.
        fused: (H, W, C).

    Returns:
        (H, W).
    """
    difference = np.asarray(fused, dtype=np.float64) - np.asarray(reference, dtype=np.float64)
    return np.asarray(255.0 * np.sqrt(np.mean(difference**2, axis=2)))


def angle_map(reference: np.ndarray, fused: np.ndarray) -> np.ndarray:
    """Spectral angle of each pixel in degrees, (H, W); NaN where a spectrum is all zero."""
    return spectral_angles(np.asarray(reference, dtype=np.float64), np.asarray(fused, dtype=np.float64))


def common_limit(maps: Sequence[np.ndarray], percentile: float = 99.0) -> float:
    """Upper end of the colour scale that several maps share.

    The median of the maps' own percentiles: one method far off (bicubic, mostly) runs into the scale's end and does not
    turn all others black.
    """
    ends = [float(np.percentile(m[np.isfinite(m)], percentile)) for m in maps if np.isfinite(m).any()]
    limit = float(np.median(ends)) if ends else 1.0
    return limit if limit > 0 else 1.0


def draw_maps(axes: Sequence[Axes], maps: Sequence[np.ndarray], colours: str, **bar: Any) -> None:
    """Draws maps in the same colours and one colour bar for all.

    Args:
        axes: One place for each map.
        maps: (H, W) each; NaN is drawn grey.
        colours: Name of the colour map.
        **bar: For the colour bar: `label`, and `cax` or `ax` as its place.
    """
    limit = common_limit(maps)
    drawn: Any = None
    for place, values in zip(axes, maps):
        place.set_facecolor("0.6")
        drawn = show_picture(place, values, values.shape, cmap=colours, vmin=0.0, vmax=limit)
    over = any(np.nanmax(m, initial=0.0) > limit for m in maps)
    extend = "max" if over else "neither"
    axes[-1].figure.colorbar(drawn, extend=extend, **bar)


def _maps(maps: Mapping[str, np.ndarray], averages: Sequence[str], colours: str, label: str, title: str) -> Figure:
    shape = next(iter(maps.values())).shape
    rows = -(-len(maps) // 4)
    columns = -(-len(maps) // rows)
    width = PAGE / max(columns, 2)
    with styled():
        figure = new_figure(width * columns + 0.6, (width * shape[0] / shape[1] + 0.25) * rows + 0.3)
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        draw_maps(
            list(axes[: len(maps)]), list(maps.values()), colours, label=label, ax=list(axes), fraction=0.04, pad=0.01
        )
        for place, name, average in zip(axes, maps, averages):
            place.set_title(f"{name}, {average}")
        for place in axes[len(maps) :]:
            place.set_axis_off()
        if title:
            figure.suptitle(title, fontsize=9)
    return figure


def error_maps(fused: Mapping[str, np.ndarray], reference: np.ndarray, title: str = "") -> Figure:
    """Error maps of several methods side by side, one colour scale.

    Args:
        fused: Cube (H, W, C) by the method's name.
        reference: (H, W, C) truth.
        title: Above all.

    Returns:
        The figure; each map is headed by its method's RMSE on 0–255.
    """
    maps = {name: error_map(reference, cube) for name, cube in fused.items()}
    averages = [f"RMSE {np.sqrt(np.mean(values**2)):.2f}" for values in maps.values()]
    return _maps(maps, averages, ERROR_COLOURS, ERROR_LABEL, title)


def sam_maps(fused: Mapping[str, np.ndarray], reference: np.ndarray, title: str = "") -> Figure:
    """Spectral angle maps of several methods side by side, one colour scale; black pixels, which have none, are grey.

    Args:
        fused: Cube (H, W, C) by the method's name.
        reference: (H, W, C) truth.
        title: Above all.

    Returns:
        The figure; each map is headed by its mean angle.
    """
    maps = {name: angle_map(reference, cube) for name, cube in fused.items()}
    averages = [f"SAM {np.nanmean(values):.2f}°" if np.isfinite(values).any() else "–" for values in maps.values()]
    return _maps(maps, averages, ANGLE_COLOURS, ANGLE_LABEL, title)
