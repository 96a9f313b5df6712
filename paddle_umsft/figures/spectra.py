"""Spectra of chosen pixels, and the error of each band."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from paddle_umsft.errors import DataError
from paddle_umsft.figures.composites import RgbView, Wavelengths
from paddle_umsft.figures.style import PAGE, TITLE_SIZE, TRUTH_LINE, line, new_figure, show_picture, styled
from paddle_umsft.metrics.common import EIGHT_BIT, band_mse

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# Spectra are compared in averages of so many pixels a side, so that a single hot pixel is not chosen.
_BLOCK = 5
_PIXELS = 4  # as many spectra as a page has room for
_LINE_COLUMNS = 2
_NUMBER_OFFSET = 4  # points between a marked pixel and its number

# A logarithmic axis has no zero: a perfect band is drawn here, far below what differs visibly.
_SMALLEST_RMSE = 1e-6

# Inches.
_WIDTH = PAGE * 1.1
_LINE_HEIGHT = 1.5
_LABEL_HEIGHT = 0.5
_LEAST_HEIGHT = 2.2
_RESIDUAL_HEIGHT = 2.4
# Width of the picture with the pixels, in plots.
_PICTURE_RATIO = 1.2

Pixel = tuple[int, int]


def band_axis(
    bands: int,
    wavelengths_nm: Wavelengths,
) -> tuple[np.ndarray, np.ndarray, str]:
    """Return the abscissa of a plot over bands: order to draw them in, positions, and label with the unit.

    Args:
        bands: C.
        wavelengths_nm: (C,) band centres, in any order; None: bands are counted from 1.

    Returns:
        (C,) order, (C,) positions in that order, and the label.
    """
    if wavelengths_nm is None:
        order = np.arange(bands)
        return order, order + 1, "band"
    nm = np.asarray(wavelengths_nm, dtype=np.float64)
    order = np.argsort(nm)
    return order, nm[order], "wavelength (nm)"


def spread_pixels(cube: np.ndarray, count: int = _PIXELS) -> list[Pixel]:
    """Return pixels whose spectra differ as much as possible, for want of a choice by hand.

    Starts from the strongest spectrum and adds, one by one, the pixel that is least explained by those before it
    (successive projections); the cube is looked at in 5×5 averages so that a single hot pixel does not win.

    Args:
        cube: (H, W, C).
        count: How many.

    Returns:
        (row, column) of each, in the order found.
    """
    height, width, bands = cube.shape
    size = max(1, min(_BLOCK, height, width))
    rows = height // size
    columns = width // size
    whole = cube[: rows * size, : columns * size]
    by_block = whole.reshape(rows, size, columns, size, bands)
    blocks = by_block.mean(axis=(1, 3))  # (rows, columns, C)
    left = blocks.reshape(rows * columns, bands)
    left = np.asarray(left, dtype=np.float64)

    found: list[Pixel] = []
    for _ in range(min(count, rows * columns, bands)):
        power = np.sum(left**2, axis=1)  # (blocks,): what is not explained yet
        best = int(np.argmax(power))
        if power[best] <= 0:
            break
        block_row, block_column = divmod(best, columns)
        centre = size // 2
        pixel = (block_row * size + centre, block_column * size + centre)
        found.append(pixel)
        direction = left[best] / np.sqrt(power[best])
        shares = left @ direction  # (blocks,)
        left = left - np.outer(shares, direction)
    return found


def _mark_pixels(
    axes: Axes,
    pixels: Sequence[Pixel],
    shape: tuple[int, int],
) -> None:
    """Mark pixels of a picture (H, W) with rings and numbers that are seen on any background."""
    ring: dict[str, Any] = {
        "marker": "o",
        "linestyle": "none",
        "markersize": 5,
        "markerfacecolor": "none",
    }
    plate = {
        "boxstyle": "round,pad=0.15",
        "facecolor": "black",
        "edgecolor": "none",
        "alpha": 0.7,
    }
    for number, (row, column) in enumerate(pixels, start=1):
        # A white ring on a wider black one.
        for colour, width in (("black", 2.0), ("white", 1.0)):
            axes.plot(
                column,
                row,
                markeredgecolor=colour,
                markeredgewidth=width,
                **ring,
            )
        # Towards the picture's middle: beyond its edge a number would stand in the title or in the plot beside it.
        across, side = _NUMBER_OFFSET, "left"
        if column >= shape[1] / 2:
            across, side = -_NUMBER_OFFSET, "right"
        up, end = _NUMBER_OFFSET, "bottom"
        if row < shape[0] / 2:
            up, end = -_NUMBER_OFFSET, "top"
        axes.annotate(
            str(number),
            (column, row),
            xytext=(across, up),
            ha=side,
            va=end,
            textcoords="offset points",
            fontsize=7,
            color="white",
            bbox=plate,
        )


def spectra(
    fused: Mapping[str, np.ndarray],
    reference: Optional[np.ndarray] = None,
    *,
    wavelengths_nm: Wavelengths = None,
    pixels: Optional[Sequence[Pixel]] = None,
    title: str = "",
) -> Figure:
    """Draw spectra of chosen pixels by every method, with the truth behind them, and where the pixels are.

    Args:
        fused: Cube (H, W, C) by the method's name.
        reference: (H, W, C) truth, or None.
        wavelengths_nm: (C,) band centres in nm.
        pixels: (row, column) of each; chosen to differ if not given.
        title: Above all.

    Returns:
        The figure.

    Raises:
        DataError: A pixel outside the scene.
    """
    kind = "truth"
    model = reference
    if model is None:
        kind, model = next(iter(fused.items()))
    if pixels is None:
        pixels = spread_pixels(model)
    chosen = list(pixels)
    _check_pixels(chosen, model.shape)
    columns = min(_LINE_COLUMNS, len(chosen))
    lines = math.ceil(len(chosen) / columns)

    with styled():
        height = max(_LINE_HEIGHT * lines + _LABEL_HEIGHT, _LEAST_HEIGHT)
        figure = new_figure(_WIDTH, height)
        ratios = [_PICTURE_RATIO] + [1.0] * columns
        grid = figure.add_gridspec(lines, 1 + columns, width_ratios=ratios)

        # Where the pixels are.
        view = RgbView.fit(model, wavelengths_nm)
        place = figure.add_subplot(grid[:, 0])
        show_picture(
            place,
            view.render(model),
            model.shape[:2],
            title=f"{kind} ({view.label})",
        )
        _mark_pixels(place, chosen, model.shape[:2])

        # Their spectra, row by row.
        for number, pixel in enumerate(chosen):
            line_number, column_number = divmod(number, columns)
            axes = figure.add_subplot(grid[line_number, 1 + column_number])
            label = _draw_spectra(
                axes,
                pixel,
                fused,
                reference,
                wavelengths_nm=wavelengths_nm,
            )
            row, column = pixel
            axes.set_title(f"{number + 1}: row {row}, column {column}", fontsize=7, pad=2)
            nothing_below = number + columns >= len(chosen)
            if nothing_below:
                axes.set_xlabel(label)
            if column_number == 0:
                axes.set_ylabel("value")
            if number == 0:
                axes.legend()
        if title:
            figure.suptitle(title, fontsize=TITLE_SIZE)
    return figure


def _check_pixels(pixels: Sequence[Pixel], shape: tuple[int, ...]) -> None:
    """Check that pixels lie in the scene.

    Raises:
        DataError: One does not.
    """
    height, width = shape[:2]
    for row, column in pixels:
        inside = 0 <= row < height and 0 <= column < width
        if not inside:
            raise DataError(
                "outside the scene",
                where="pixels",
                expected=f"inside {height}×{width}",
                got=(row, column),
            )


def _draw_spectra(
    axes: Axes,
    pixel: Pixel,
    fused: Mapping[str, np.ndarray],
    reference: Optional[np.ndarray],
    wavelengths_nm: Wavelengths,
) -> str:
    """Draw the spectra of one pixel; returns the label of the abscissa."""
    first = next(iter(fused.values()))
    bands = first.shape[2]
    order, positions, label = band_axis(bands, wavelengths_nm)
    if reference is not None:
        truth = reference[pixel][order]  # (C,)
        axes.plot(positions, truth, label="truth", **TRUTH_LINE)
    for index, (name, cube) in enumerate(fused.items()):
        spectrum = cube[pixel][order]
        axes.plot(positions, spectrum, label=name, **line(index, bands))
    lowest, _ = axes.get_ylim()
    axes.set_ylim(bottom=min(0.0, lowest))
    axes.margins(x=0.02)
    return label


def residual_per_band(
    fused: Mapping[str, np.ndarray],
    reference: np.ndarray,
    *,
    wavelengths_nm: Wavelengths = None,
    title: str = "",
) -> Figure:
    """Draw the root mean square error of each band for every method, on a logarithmic scale.

    Args:
        fused: Cube (H, W, C) by the method's name.
        reference: (H, W, C) truth.
        wavelengths_nm: (C,) band centres in nm.
        title: Above the plot.

    Returns:
        The figure.
    """
    bands = reference.shape[2]
    order, positions, label = band_axis(bands, wavelengths_nm)
    truth = np.asarray(reference, dtype=np.float64)
    with styled():
        figure = new_figure(PAGE / 2, _RESIDUAL_HEIGHT)
        axes = figure.subplots()
        for index, (name, cube) in enumerate(fused.items()):
            estimate = np.asarray(cube, dtype=np.float64)
            mse = band_mse(truth, estimate)  # (C,)
            rmse = EIGHT_BIT * np.sqrt(mse)
            drawn = np.maximum(rmse[order], _SMALLEST_RMSE)
            axes.plot(positions, drawn, label=name, **line(index, bands))
        axes.set_yscale("log")
        axes.set_xlabel(label)
        axes.set_ylabel("RMSE (values × 255)")
        axes.grid(True, which="both", linewidth=0.3, alpha=0.4)
        axes.legend(ncols=2)
        if title:
            axes.set_title(title)
    return figure
