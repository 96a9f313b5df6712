"""What the blind estimation found: point spread function and spectral response, against the truth where it is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from paddle_umsft.figures.composites import Wavelengths
from paddle_umsft.figures.spectra import band_axis
from paddle_umsft.figures.style import KERNEL_COLOURS, LINES, TITLE_SIZE, TRUTH_LINE, line, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Red, green and blue cameras are drawn in their colours, with the dashes of the style so that they differ in grey.
_RGB_COLOURS = ("#C62828", "#2E7D32", "#1565C0")
_RGB_NAMES = ("R", "G", "B")
_LONGEST_NAME = 12  # letters of a band's name in a legend
_OUTSIDE_COLOUR = "0.25"  # dark grey: where a kernel has no taps

# Widths of the parts, in inches, and how they share the figure.
_KERNEL_WIDTH = 2.0
_PROFILE_WIDTH = 2.2
_SRF_WIDTH = 3.0
_LEAST_WIDTH = 3.0
_HEIGHT = 2.3
_KERNEL_RATIO = 1.0
_PROFILE_RATIO = 1.1
_SRF_RATIO = 1.5
# Room beside each part, in inches: with less, the numbers of a colour bar run into the label of the plot beside it.
_APART = 0.06

# Room above the curves for the legend, more where it has several lines.
_ROOM_FOR_LEGEND = 1.15
_ROOM_FOR_LONG_LEGEND = 1.4


def _offsets(size: int, scale: int) -> np.ndarray:
    """Return the places of a kernel's taps along one axis, in HR pixels from the centre of the LR pixel.

    LR pixel i reaches from i·s + first with first = (s − k)//2, and its centre lies at i·s + (s − 1)/2.
    """
    first = (scale - size) // 2
    centre = (scale - 1) / 2.0
    taps = first + np.arange(size)
    return np.asarray(taps - centre)


def _draw_kernel(
    axes: Axes,
    psf: np.ndarray,
    scale: int,
    title: str,
    limit: float,
) -> Any:
    """Draw a kernel over its LR pixel, the dashed square; returns what a colour bar needs."""
    from matplotlib.patches import Rectangle

    at = _offsets(psf.shape[0], scale)
    low = at[0] - 0.5
    high = at[-1] + 0.5
    drawn = axes.imshow(
        psf,
        cmap=KERNEL_COLOURS,
        vmin=min(0.0, float(psf.min())),
        vmax=limit,
        extent=(low, high, high, low),
    )
    pixel = Rectangle(
        (-scale / 2, -scale / 2),
        scale,
        scale,
        fill=False,
        edgecolor="white",
        linewidth=0.8,
        linestyle="--",
    )
    axes.add_patch(pixel)
    axes.set_title(title)
    axes.set_xlabel("column offset (HR pixels)")
    axes.set_facecolor(_OUTSIDE_COLOUR)
    return drawn


def _draw_kernels(
    places: Sequence[Axes],
    kernels: Mapping[str, np.ndarray],
    scale: int,
) -> None:
    """Draw kernels beside each other on one scale of colours and of sizes."""
    limit = max(float(kernel.max()) for kernel in kernels.values())
    # All reach as far as the largest, and beyond the LR pixel.
    reach = scale / 2 + 0.5
    for kernel in kernels.values():
        offsets = _offsets(kernel.shape[0], scale)
        farthest = np.abs(offsets).max()
        reach = max(reach, farthest + 1.0)
    drawn: Any = None
    for place, (name, kernel) in zip(places, kernels.items()):
        size = kernel.shape[0]
        drawn = _draw_kernel(
            place,
            kernel,
            scale,
            f"PSF, {name} ({size}×{size})",
            limit,
        )
        place.set_xlim(-reach, reach)
        place.set_ylim(reach, -reach)
    places[0].set_ylabel("row offset (HR pixels)")
    last = places[-1]
    last.figure.colorbar(drawn, ax=last, fraction=0.05, pad=0.03)


def _draw_profiles(
    axes: Axes,
    kernels: Mapping[str, np.ndarray],
    scale: int,
) -> None:
    """Draw sums over columns and rows: a kernel's shape along each axis, whatever its size."""
    # Summed over columns (axis 1), what is left runs down the rows.
    directions = (("vertical", 1, "-"), ("horizontal", 0, "--"))
    for name, psf in kernels.items():
        at = _offsets(psf.shape[0], scale)
        for index, (word, axis, dash) in enumerate(directions):
            look = line(index, len(at))
            if name == "true":
                look = {**TRUTH_LINE, "linestyle": dash}
            profile = psf.sum(axis=axis)
            axes.plot(at, profile, label=f"{name}, {word}", **look)
    axes.set_xlabel("offset (HR pixels)")
    axes.set_ylabel("weight")
    lowest, _ = axes.get_ylim()
    axes.set_ylim(bottom=min(0.0, lowest))
    axes.set_title("PSF, summed along an axis")
    axes.legend(fontsize=6)


def _draw_srf(
    axes: Axes,
    srf: np.ndarray,
    true_srf: Optional[np.ndarray],
    wavelengths_nm: Wavelengths,
    names: Sequence[str],
    word: str,
) -> None:
    """Draw the response of each MSI band, over the true one where it is known."""
    msi_bands, bands = srf.shape
    order, positions, label = band_axis(bands, wavelengths_nm)
    colours = [LINES[index % len(LINES)]["color"] for index in range(msi_bands)]
    if tuple(names) == _RGB_NAMES:
        colours = list(_RGB_COLOURS)

    title = f"SRF, {word}"
    legend_once: Optional[str] = "true"
    for index, (name, colour) in enumerate(zip(names, colours)):
        if true_srf is not None:
            title = f"SRF, {word} against true"
            response = true_srf[index][order]  # (C,)
            axes.plot(positions, response, label=legend_once, **TRUTH_LINE)
            legend_once = None
        look = {**line(index, bands), "color": colour}
        response = srf[index][order]
        axes.plot(positions, response, label=_plain(name), **look)
    axes.set_xlabel(label)
    axes.set_ylabel("response")
    axes.set_title(title)
    _make_room_for_legend(axes, many=msi_bands > len(_RGB_NAMES))


def _named_bands(count: int, names: Optional[Sequence[str]]) -> list[str]:
    """Return what the MSI's bands are called: their own names, red, green and blue of three, or numbers."""
    if names is not None and len(names) == count:
        return list(names)
    if count == len(_RGB_NAMES):
        return list(_RGB_NAMES)
    return [f"band {number}" for number in range(1, count + 1)]


def _plain(name: str) -> str:
    """Return a name that is no formula, of a length that a legend has room for, and that no legend leaves out."""
    short = name
    if len(name) > _LONGEST_NAME:
        short = name[:_LONGEST_NAME] + "…"
    return short.lstrip("_").replace("$", r"\$")


def _make_room_for_legend(axes: Axes, *, many: bool) -> None:
    """Draw the legend above the curves."""
    room = _ROOM_FOR_LEGEND
    letters = 7
    if many:
        room = _ROOM_FOR_LONG_LEGEND
        letters = 6
    bottom, top = axes.get_ylim()
    height = top - bottom
    axes.set_ylim(min(0.0, bottom), bottom + height * room)
    axes.legend(
        ncols=4,
        fontsize=letters,
        loc="upper center",
        columnspacing=0.8,
        handlelength=1.4,
    )


def _origin(is_given: bool) -> str:
    """Return the word for where a PSF or SRF comes from."""
    if is_given:
        return "given"
    return "learned"


def psf_srf(
    psf: Optional[np.ndarray],
    srf: Optional[np.ndarray],
    *,
    scale: int,
    wavelengths_nm: Wavelengths = None,
    true_psf: Optional[np.ndarray] = None,
    true_srf: Optional[np.ndarray] = None,
    title: str = "",
    band_names: Optional[Sequence[str]] = None,
    psf_is_given: bool = False,
    srf_is_given: bool = False,
) -> Figure:
    """Draw learned PSF and SRF; the true ones beside and behind them. The dashed square is the LR pixel.

    Args:
        psf: (k, k) estimate in HR pixels, or None if the method has none.
        srf: (M, C) estimate, or None if the method has none.
        scale: Ratio of the resolutions, which places a kernel over its LR pixel.
        wavelengths_nm: (C,) band centres in nm.
        true_psf: (k', k') truth; its size may differ.
        true_srf: (M, C) truth.
        title: Above all.
        band_names: What the MSI's bands are called; None: nobody says.
        psf_is_given: The PSF was not learned: the user gave it.
        srf_is_given: The same of the SRF.

    Returns:
        The figure.
    """
    kernels: dict[str, np.ndarray] = {}
    if psf is not None:
        kernels[_origin(psf_is_given)] = np.asarray(psf)
    if true_psf is not None:
        kernels["true"] = np.asarray(true_psf)

    # From left to right: the kernels, their profiles, the SRF.
    ratios = [_KERNEL_RATIO] * len(kernels)
    width = _KERNEL_WIDTH * len(kernels)
    if kernels:
        ratios.append(_PROFILE_RATIO)
        width += _PROFILE_WIDTH
    if srf is not None:
        ratios.append(_SRF_RATIO)
        width += _SRF_WIDTH
    nothing = not ratios
    if nothing:
        ratios.append(1.0)

    with styled():
        figure = new_figure(max(width, _LEAST_WIDTH), _HEIGHT, apart=_APART)
        (axes,) = figure.subplots(
            1,
            len(ratios),
            squeeze=False,
            gridspec_kw={"width_ratios": ratios},
        )
        if kernels:
            _draw_kernels(axes[: len(kernels)], kernels, scale)
            _draw_profiles(axes[len(kernels)], kernels, scale)
        if srf is not None:
            if true_srf is not None:
                true_srf = np.asarray(true_srf)
            _draw_srf(
                axes[-1],
                np.asarray(srf),
                true_srf,
                wavelengths_nm,
                _named_bands(len(srf), band_names),
                _origin(srf_is_given),
            )
        if nothing:
            axes[0].set_axis_off()
            axes[0].text(
                0.5,
                0.5,
                "this method estimates neither PSF nor SRF",
                ha="center",
                va="center",
            )
        if title:
            figure.suptitle(title, fontsize=TITLE_SIZE)
    return figure
