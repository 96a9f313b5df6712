"""What the blind estimation found: point spread function and spectral response, against the truth where it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from paddle_umsft.figures.composites import Wavelengths
from paddle_umsft.figures.spectra import band_axis
from paddle_umsft.figures.style import KERNEL_COLOURS, LINES, TRUTH_LINE, line, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Red, green and blue cameras are drawn in their colours, with the dashes of the style so that they differ in grey.
_RGB = ("#C62828", "#2E7D32", "#1565C0")


def _offsets(size: int, scale: int) -> np.ndarray:
    """Places of a kernel's taps along one axis, in HR pixels from the centre of the LR pixel.

    LR pixel i reaches from i·s + first with first = (s − k)//2, and its centre lies at i·s + (s − 1)/2.
    """
    return np.asarray((scale - size) // 2 + np.arange(size) - (scale - 1) / 2.0)


def _draw_kernel(axes: Axes, psf: np.ndarray, scale: int, title: str, limit: float) -> Any:
    """Draws a kernel over its LR pixel, the dashed square."""
    from matplotlib.patches import Rectangle

    at = _offsets(psf.shape[0], scale)
    extent = (at[0] - 0.5, at[-1] + 0.5, at[-1] + 0.5, at[0] - 0.5)
    drawn = axes.imshow(psf, cmap=KERNEL_COLOURS, vmin=min(0.0, float(psf.min())), vmax=limit, extent=extent)
    axes.add_patch(
        Rectangle((-scale / 2, -scale / 2), scale, scale, fill=False, edgecolor="white", linewidth=0.8, linestyle="--")
    )
    axes.set_title(title)
    axes.set_xlabel("column offset (HR pixels)")
    axes.set_facecolor("0.25")
    return drawn


def _draw_profiles(axes: Axes, kernels: dict[str, np.ndarray], scale: int) -> None:
    """Sums over columns and rows: a kernel's shape along each axis, whatever its size."""
    for name, psf in kernels.items():
        at = _offsets(psf.shape[0], scale)
        truth = name == "true"
        for index, (axis, word) in enumerate(((1, "vertical"), (0, "horizontal"))):
            look = dict(TRUTH_LINE) if truth else line(index, len(at))
            if truth:
                look["linestyle"] = ("-", "--")[index]
            axes.plot(at, psf.sum(axis=axis), label=f"{name}, {word}", **look)
    axes.set_xlabel("offset (HR pixels)")
    axes.set_ylabel("weight")
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.set_title("PSF, summed along an axis")
    axes.legend(fontsize=6)


def _draw_srf(axes: Axes, srf: np.ndarray, true_srf: np.ndarray | None, wavelengths_nm: Wavelengths) -> None:
    order, positions, label = band_axis(srf.shape[1], wavelengths_nm)
    names = ("R", "G", "B") if srf.shape[0] == 3 else tuple(f"band {j + 1}" for j in range(srf.shape[0]))
    many = srf.shape[0] > 3
    for j, name in enumerate(names):
        look = line(j, len(positions))
        look["color"] = _RGB[j] if srf.shape[0] == 3 else LINES[j % len(LINES)]["color"]
        if true_srf is not None:
            axes.plot(positions, true_srf[j][order], **{**TRUTH_LINE, "label": "true" if j == 0 else None})
        axes.plot(positions, srf[j][order], label=name, **look)
    axes.set_xlabel(label)
    axes.set_ylabel("response")
    bottom, top = axes.get_ylim()
    axes.set_ylim(min(0.0, bottom), bottom + (top - bottom) * (1.4 if many else 1.15))  # room for the legend
    axes.set_title("SRF, learned against true" if true_srf is not None else "SRF")
    axes.legend(ncols=4, fontsize=6 if many else 7, loc="upper center", columnspacing=0.8, handlelength=1.4)


def psf_srf(
    psf: np.ndarray | None,
    srf: np.ndarray | None,
    *,
    scale: int,
    wavelengths_nm: Wavelengths = None,
    true_psf: np.ndarray | None = None,
    true_srf: np.ndarray | None = None,
    title: str = "",
) -> Figure:
    """Learned PSF and SRF; the true ones beside and behind them. The dashed square is the LR pixel.

    Args:
        psf: (k, k) estimate in HR pixels, or None if the method has none.
        srf: (M, C) estimate, or None if the method has none.
        scale: Ratio of the resolutions, which places a kernel over its LR pixel.
        wavelengths_nm: (C,) band centres in nm.
        true_psf: (k', k') truth; its size may differ.
        true_srf: (M, C) truth.
        title: Above all.

    Returns:
        The figure.
    """
    kernels = {name: np.asarray(k) for name, k in (("learned", psf), ("true", true_psf)) if k is not None}
    parts = len(kernels) + (1 if kernels else 0)
    with styled():
        width = 2.0 * len(kernels) + (2.2 if kernels else 0.0) + (3.0 if srf is not None else 0.0)
        figure = new_figure(max(width, 3.0), 2.3)
        columns = max(parts + (srf is not None), 1)
        ratios = [1.0] * len(kernels) + ([1.1] if kernels else []) + ([1.5] if srf is not None else [])
        axes = figure.subplots(1, columns, squeeze=False, gridspec_kw={"width_ratios": ratios or [1.0]})[0]
        limit = max((float(k.max()) for k in kernels.values()), default=1.0)
        drawn: Any = None
        reach = max((np.abs(_offsets(k.shape[0], scale)).max() + 1.0 for k in kernels.values()), default=1.0)
        reach = max(reach, scale / 2 + 0.5)
        for place, (name, kernel) in zip(axes, kernels.items()):
            drawn = _draw_kernel(place, kernel, scale, f"PSF, {name} ({kernel.shape[0]}×{kernel.shape[1]})", limit)
            place.set_xlim(-reach, reach)
            place.set_ylim(reach, -reach)
        if kernels:
            axes[0].set_ylabel("row offset (HR pixels)")
            figure.colorbar(drawn, ax=axes[len(kernels) - 1], fraction=0.05, pad=0.03)
            _draw_profiles(axes[len(kernels)], kernels, scale)
        if srf is not None:
            _draw_srf(axes[-1], np.asarray(srf), None if true_srf is None else np.asarray(true_srf), wavelengths_nm)
        if columns == 1 and srf is None:
            axes[0].set_axis_off()
            axes[0].text(0.5, 0.5, "this method estimates neither PSF nor SRF", ha="center", va="center")
        if title:
            figure.suptitle(title, fontsize=9)
    return figure
