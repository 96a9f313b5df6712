"""Maps of what a fused cube misses: error and spectral angle, one colour scale for all methods."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from paddle_umsft.figures.style import (
    ANGLE_COLOURS,
    ERROR_COLOURS,
    PAGE,
    PICTURE_DIGITS,
    TITLE_SIZE,
    new_figure,
    show_picture,
    styled,
)
from paddle_umsft.metrics.common import EIGHT_BIT, spectral_angles
from paddle_umsft.metrics.figures import MISSING, measure_of, words_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ERROR_LABEL = "RMSE over bands (values × 255)"
ANGLE_LABEL = f"spectral angle ({measure_of('SAM').unit})"

# Single pixels may be far worse than all others: a colour scale need not reach to the last.
_SCALE_PERCENTILE = 99.0

# The lay-out of maps beside each other: columns at most, and inches for titles and colour bar.
_COLUMNS = 4
_BAR_WIDTH = 0.6
_TITLE_HEIGHT = 0.25
_HEAD_HEIGHT = 0.3
_NO_ANGLE_COLOUR = "0.6"  # grey


def error_map(reference: np.ndarray, fused: np.ndarray) -> np.ndarray:
    """Return the root mean square error over the bands of each pixel, on 0–255.

    Args:
        reference: (H, W, C) truth.
        fused: (H, W, C).

    Returns:
        (H, W).
    """
    truth = np.asarray(reference, dtype=np.float64)
    estimate = np.asarray(fused, dtype=np.float64)
    difference = estimate - truth
    mean_square = np.mean(difference**2, axis=2)  # (H, W)
    return np.asarray(EIGHT_BIT * np.sqrt(mean_square))


def angle_map(reference: np.ndarray, fused: np.ndarray) -> np.ndarray:
    """Return the spectral angle of each pixel in degrees, (H, W); NaN where a spectrum is all zero.

    Args:
        reference: (H, W, C) truth.
        fused: (H, W, C).
    """
    truth = np.asarray(reference, dtype=np.float64)
    estimate = np.asarray(fused, dtype=np.float64)
    return spectral_angles(truth, estimate)


def error_words(values: np.ndarray) -> str:
    """Return what heads an error map: the RMSE over all its pixels."""
    mean_square = np.mean(values**2)
    rmse = float(np.sqrt(mean_square))
    return words_of("RMSE", rmse, PICTURE_DIGITS)


def angle_words(values: np.ndarray) -> str:
    """Return what heads a map of angles: the mean over the pixels that have one."""
    if not np.isfinite(values).any():
        return MISSING
    mean = float(np.nanmean(values))
    return words_of("SAM", mean, PICTURE_DIGITS)


def common_limit(
    maps: Sequence[np.ndarray],
    percentile: float = _SCALE_PERCENTILE,
) -> float:
    """Return the upper end of the colour scale that several maps share.

    The median of the maps' own percentiles: one method far off (bicubic, mostly) runs into the scale's end and does not
    turn all others black.
    """
    ends = []
    for values in maps:
        finite = values[np.isfinite(values)]
        if finite.size:
            end = float(np.percentile(finite, percentile))
            ends.append(end)
    limit = 0.0
    if ends:
        limit = float(np.median(ends))
    if limit <= 0:
        # Without any error there is nothing to scale; a scale must have an end all the same.
        return 1.0
    return limit


def draw_maps(
    axes: Sequence[Axes],
    maps: Sequence[np.ndarray],
    colours: str,
    **bar: Any,
) -> None:
    """Draw maps in the same colours and one colour bar for all.

    Args:
        axes: One place for each map.
        maps: (H, W) each; NaN is drawn grey.
        colours: Name of the colour map.
        **bar: For the colour bar: `label`, and `cax` or `ax` as its place.
    """
    limit = common_limit(maps)
    drawn: Any = None
    for place, values in zip(axes, maps):
        place.set_facecolor(_NO_ANGLE_COLOUR)
        drawn = show_picture(
            place,
            values,
            values.shape,
            cmap=colours,
            vmin=0.0,
            vmax=limit,
        )
    # The colour bar ends in a point where some pixels go beyond it.
    extend = "neither"
    largest = max(np.nanmax(values, initial=0.0) for values in maps)
    if largest > limit:
        extend = "max"
    axes[-1].figure.colorbar(drawn, extend=extend, **bar)


def _maps_beside_each_other(
    maps: Mapping[str, np.ndarray],
    averages: Sequence[str],
    *,
    colours: str,
    label: str,
    title: str,
) -> Figure:
    """Return maps in rows, each headed by its method's name and average, with one colour bar."""
    height, width = next(iter(maps.values())).shape
    rows = math.ceil(len(maps) / _COLUMNS)
    columns = math.ceil(len(maps) / rows)
    map_width = PAGE / max(columns, 2)  # one map alone need not fill the page
    map_height = map_width * height / width
    with styled():
        figure = new_figure(
            map_width * columns + _BAR_WIDTH,
            (map_height + _TITLE_HEIGHT) * rows + _HEAD_HEIGHT,
        )
        grid = figure.subplots(rows, columns, squeeze=False)
        axes = list(grid.ravel())
        used = axes[: len(maps)]
        draw_maps(
            used,
            list(maps.values()),
            colours,
            label=label,
            ax=axes,
            fraction=0.04,
            pad=0.01,
        )
        for place, name, average in zip(used, maps, averages):
            place.set_title(f"{name}, {average}")
        for place in axes[len(maps) :]:
            place.set_axis_off()
        if title:
            figure.suptitle(title, fontsize=TITLE_SIZE)
    return figure


def error_maps(
    fused: Mapping[str, np.ndarray],
    reference: np.ndarray,
    title: str = "",
) -> Figure:
    """Draw error maps of several methods side by side, one colour scale.

    Args:
        fused: Cube (H, W, C) by the method's name.
        reference: (H, W, C) truth.
        title: Above all.

    Returns:
        The figure; each map is headed by its method's RMSE on 0–255.
    """
    maps = {name: error_map(reference, cube) for name, cube in fused.items()}
    averages = [error_words(values) for values in maps.values()]
    return _maps_beside_each_other(
        maps,
        averages,
        colours=ERROR_COLOURS,
        label=ERROR_LABEL,
        title=title,
    )


def sam_maps(
    fused: Mapping[str, np.ndarray],
    reference: np.ndarray,
    title: str = "",
) -> Figure:
    """Draw spectral angle maps of several methods side by side, one colour scale; pixels without an angle are grey.

    Args:
        fused: Cube (H, W, C) by the method's name.
        reference: (H, W, C) truth.
        title: Above all.

    Returns:
        The figure; each map is headed by its mean angle.
    """
    maps = {name: angle_map(reference, cube) for name, cube in fused.items()}
    averages = [angle_words(values) for values in maps.values()]
    return _maps_beside_each_other(
        maps,
        averages,
        colours=ANGLE_COLOURS,
        label=ANGLE_LABEL,
        title=title,
    )
