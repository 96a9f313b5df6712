"""Spectra of chosen pixels, and the error of each band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from paddle_umsft.errors import DataError
from paddle_umsft.figures.composites import RgbView, Wavelengths
from paddle_umsft.figures.style import PAGE, TRUTH_LINE, line, new_figure, show_picture, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def band_axis(bands: int, wavelengths_nm: Wavelengths) -> tuple[np.ndarray, np.ndarray, str]:
    """Abscissa of a plot over bands: order to draw them in, positions, and label with the unit.

    Args:
        bands: C.
        wavelengths_nm: (C,) band centres, in any order; None: bands are counted from 1.

    Returns:
        (C,) order, (C,) positions in that order, and the label.
    """
    if wavelengths_nm is None:
        return np.arange(bands), np.arange(1, bands + 1), "band"
    nm = np.asarray(wavelengths_nm, dtype=np.float64)
    order = np.argsort(nm)
    return order, nm[order], "wavelength (nm)"


def spread_pixels(cube: np.ndarray, count: int = 4) -> list[tuple[int, int]]:
    """Pixels whose spectra differ as much as possible, for want of a choice by hand.

    Starts from the strongest spectrum and adds, one by one, the pixel that is least explained by those before it
    (successive projections); the cube is looked at in 5×5 averages so that a single hot pixel does not win.

    Args:
        cube: (H, W, C).
        count: How many.

    Returns:
        (row, column) of each, in the order found.
    """
    size = max(1, min(5, cube.shape[0], cube.shape[1]))
    h, w = cube.shape[0] // size, cube.shape[1] // size
    blocks = cube[: h * size, : w * size].reshape(h, size, w, size, -1).mean(axis=(1, 3)).reshape(h * w, -1)
    left = np.asarray(blocks, dtype=np.float64).copy()
    found: list[tuple[int, int]] = []
    for _ in range(min(count, h * w, cube.shape[2])):
        power = np.sum(left**2, axis=1)
        best = int(np.argmax(power))
        if power[best] <= 0:
            break
        found.append((best // w * size + size // 2, best % w * size + size // 2))
        direction = left[best] / np.sqrt(power[best])
        left = left - np.outer(left @ direction, direction)
    return found


def _mark_pixels(axes: Axes, pixels: Sequence[tuple[int, int]]) -> None:
    for number, (row, column) in enumerate(pixels, start=1):
        axes.plot(column, row, "o", markersize=5, markerfacecolor="none", markeredgecolor="black", markeredgewidth=2.0)
        axes.plot(column, row, "o", markersize=5, markerfacecolor="none", markeredgecolor="white", markeredgewidth=1.0)
        axes.annotate(
            str(number), (column, row), xytext=(4, 4), textcoords="offset points", fontsize=7, color="white",
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "black", "edgecolor": "none", "alpha": 0.7},
        )  # fmt: skip


def spectra(
    fused: Mapping[str, np.ndarray],
    reference: np.ndarray | None = None,
    *,
    wavelengths_nm: Wavelengths = None,
    pixels: Sequence[tuple[int, int]] | None = None,
    title: str = "",
) -> Figure:
    """Spectra of chosen pixels by every method, with the truth behind them, and where the pixels are.

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
    model = reference if reference is not None else next(iter(fused.values()))
    height, width, bands = model.shape
    chosen = list(pixels) if pixels is not None else spread_pixels(model)
    for row, column in chosen:
        if not (0 <= row < height and 0 <= column < width):
            raise DataError("outside the scene", where="pixels", expected=f"inside {height}×{width}", got=(row, column))
    order, positions, label = band_axis(bands, wavelengths_nm)
    columns = min(2, len(chosen))
    lines = -(-len(chosen) // columns)
    with styled():
        figure = new_figure(PAGE * 1.1, max(1.5 * lines + 0.5, 2.2))
        grid = figure.add_gridspec(lines, 1 + columns, width_ratios=[1.2] + [1.0] * columns)
        view = RgbView.fit(model, wavelengths_nm)
        place = figure.add_subplot(grid[:, 0])
        kind = "truth" if reference is not None else next(iter(fused))
        show_picture(place, view.render(model), (height, width), f"{kind} ({view.label})")
        _mark_pixels(place, chosen)
        for number, (row, column) in enumerate(chosen):
            axes = figure.add_subplot(grid[number // columns, 1 + number % columns])
            if reference is not None:
                axes.plot(positions, reference[row, column][order], label="truth", **TRUTH_LINE)
            for index, (name, cube) in enumerate(fused.items()):
                axes.plot(positions, cube[row, column][order], label=name, **line(index, bands))
            axes.set_title(f"{number + 1}: row {row}, column {column}", fontsize=7, pad=2)
            axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
            axes.margins(x=0.02)
            if number // columns == lines - 1 or number + columns >= len(chosen):
                axes.set_xlabel(label)
            if number % columns == 0:
                axes.set_ylabel("value")
            if number == 0:
                axes.legend()
        if title:
            figure.suptitle(title, fontsize=9)
    return figure


def residual_per_band(
    fused: Mapping[str, np.ndarray], reference: np.ndarray, *, wavelengths_nm: Wavelengths = None, title: str = ""
) -> Figure:
    """Root mean square error of each band for every method, on a logarithmic scale.

    Args:
        fused: Cube (H, W, C) by the method's name.
        reference: (H, W, C) truth.
        wavelengths_nm: (C,) band centres in nm.
        title: Above the plot.

    Returns:
        The figure.
    """
    order, positions, label = band_axis(reference.shape[2], wavelengths_nm)
    with styled():
        figure = new_figure(PAGE / 2, 2.4)
        axes = figure.subplots()
        for index, (name, cube) in enumerate(fused.items()):
            difference = np.asarray(cube, dtype=np.float64) - np.asarray(reference, dtype=np.float64)
            rmse = 255.0 * np.sqrt(np.mean(difference**2, axis=(0, 1)))[order]
            axes.plot(positions, np.maximum(rmse, 1e-6), label=name, **line(index, len(order)))
        axes.set_yscale("log")
        axes.set_xlabel(label)
        axes.set_ylabel("RMSE (values × 255)")
        axes.grid(True, which="both", linewidth=0.3, alpha=0.4)
        axes.legend(ncols=2)
        if title:
            axes.set_title(title)
    return figure
